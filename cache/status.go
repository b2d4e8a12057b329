package cache

import (
	"strconv"
	"time"
)

// Why a request went upstream: values of fwd (RFC 9211, section 2.2).
const (
	fwdBypass   = "bypass"
	fwdURIMiss  = "uri-miss"
	fwdVaryMiss = "vary-miss"
	fwdRequest  = "request"
	fwdStale    = "stale"
)

// cacheStatus is a member of Cache-Status (RFC 9211). Either hit or fwd is set;
// neither where nothing was stored and nothing was forwarded: detail says why.
type cacheStatus struct {
	hit       bool
	fwd       string
	fwdStatus int // of the upstream; 0 = not said
	// ttl is what is left of the lifetime, negative when stale; hasTTL says that
	// it is known.
	ttl       time.Duration
	hasTTL    bool
	stored    bool
	collapsed bool
	detail    string // a word of the cache's own
}

// String renders the member without the cache's name.
func (s cacheStatus) String() string {
	var buffer [64]byte
	return string(s.append(buffer[:0]))
}

func (s cacheStatus) append(b []byte) []byte {
	switch {
	case s.hit:
		b = append(b, "hit"...)
	case s.fwd != "":
		b = append(append(b, "fwd="...), s.fwd...)
	default:
		return appendDetail(append(b, "detail="...), s.detail)
	}
	if s.fwdStatus != 0 {
		b = strconv.AppendInt(append(b, "; fwd-status="...), int64(s.fwdStatus), 10)
	}
	if s.hasTTL {
		b = strconv.AppendInt(append(b, "; ttl="...), floorSeconds(s.ttl), 10)
	}
	if s.stored {
		b = append(b, "; stored"...)
	}
	if s.collapsed {
		b = append(b, "; collapsed"...)
	}
	if s.detail != "" {
		b = appendDetail(append(b, "; detail="...), s.detail)
	}
	return b
}

// floorSeconds rounds down also below zero: what is stale by half a second has
// a ttl of -1.
func floorSeconds(d time.Duration) int64 {
	seconds := int64(d / time.Second)
	if d < 0 && d%time.Second != 0 {
		seconds--
	}
	return seconds
}

// appendDetail writes a token where the text is one, else a string (RFC 9651,
// section 3.3.3 and 3.3.4).
func appendDetail(b []byte, detail string) []byte {
	if isDetailToken(detail) {
		return append(b, detail...)
	}
	b = append(b, '"')
	for i := range len(detail) {
		switch c := detail[i]; {
		case c < ' ' || c > '~':
			b = append(b, '?')
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func isDetailToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return s != ""
}
