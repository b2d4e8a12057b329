package proxy

// recordHeader is the length of what stands before a TLS record: its type, a
// version, and its length in two bytes (RFC 8446 section 5.1).
const recordHeader = 5

// recordEnd knows, as the bytes of a TLS connection pass, whether they end
// between two records. crypto/tls reads ahead: what it holds of a record that
// has not come as a whole is visible nowhere else.
type recordEnd struct {
	header int // bytes of the current header that have passed
	left   int // bytes of the record still to come
	length int
}

func (r *recordEnd) pass(p []byte) {
	for len(p) > 0 {
		if r.left > 0 {
			n := min(r.left, len(p))
			r.left, p = r.left-n, p[n:]
			continue
		}
		r.length = r.length<<8&0xffff | int(p[0])
		r.header, p = r.header+1, p[1:]
		if r.header == recordHeader {
			r.header, r.left = 0, r.length
		}
	}
}

// between reports whether no record has begun that has not ended.
func (r *recordEnd) between() bool { return r.header == 0 && r.left == 0 }
