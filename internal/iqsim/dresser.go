package iqsim

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// holdBack is how much of a body is kept until its length is known; a longer
// one, or one that is flushed, goes out chunked.
const holdBack = 256 << 10

// dresser is the ResponseWriter that services write to. It gives their answers
// the header habits of the service's profile and compresses their bodies.
type dresser struct {
	http.ResponseWriter
	request  *http.Request
	profile  *profile
	encoders *encoders
	folded   string // the path below the service, folded
	arrival  time.Time
	now      func() time.Time
	quota    *quotaCount // nil: this call was not counted

	status  int  // what the service answered, 0 until it did
	started bool // the header is out
	held    bytes.Buffer
	body    io.Writer // where the body goes once started
	encoder *encoder  // of body, nil when it is not compressed
}

// WriteHeader notes the status; the header goes out with the body.
func (d *dresser) WriteHeader(status int) {
	if status >= 100 && status < 200 {
		d.ResponseWriter.WriteHeader(status)
		return
	}
	if d.status == 0 {
		d.status = status
	}
}

// Write holds the body back as long as its length may still become known.
func (d *dresser) Write(p []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	if !d.started && d.held.Len()+len(p) <= holdBack {
		return d.held.Write(p)
	}
	if err := d.start(false); err != nil {
		return 0, err
	}
	return d.body.Write(p)
}

// Flush sends what the service wrote so far, for [http.Flusher].
func (d *dresser) Flush() { _ = d.FlushError() }

// FlushError sends what the service wrote so far, for
// [http.ResponseController].
func (d *dresser) FlushError() error {
	d.WriteHeader(http.StatusOK)
	if err := d.start(false); err != nil {
		return err
	}
	if d.encoder != nil {
		if err := d.encoder.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(d.ResponseWriter).Flush()
}

// finish sends what is still held back.
func (d *dresser) finish() error {
	d.WriteHeader(http.StatusOK)
	if err := d.start(true); err != nil {
		return err
	}
	if d.encoder != nil {
		return d.encoder.Close()
	}
	return nil
}

// discard drops an answer of which nothing was sent yet; it reports whether
// there is nothing out.
func (d *dresser) discard() bool {
	if d.started {
		return false
	}
	d.held.Reset()
	clear(d.Header())
	d.status = 0
	return true
}

// start sends the header and what was held back. complete tells that no more
// will come.
func (d *dresser) start(complete bool) error {
	if d.started {
		return nil
	}
	d.started = true
	coding := d.coding(complete)
	d.dress(coding)
	if complete {
		return d.sendWhole(coding)
	}
	d.ResponseWriter.WriteHeader(d.status)
	d.body = d.ResponseWriter
	if coding != "" {
		d.encoder = d.encoders.open(coding, d.ResponseWriter)
		d.body = d.encoder
	}
	_, err := d.body.Write(d.held.Bytes())
	d.held = bytes.Buffer{}
	return err
}

// sendWhole sends an answer whose body is complete, with its length.
func (d *dresser) sendWhole(coding string) error {
	if coding != "" {
		var packed bytes.Buffer
		e := d.encoders.open(coding, &packed)
		if _, err := e.Write(d.held.Bytes()); err != nil {
			return err
		}
		if err := e.Close(); err != nil {
			return err
		}
		d.held = packed
	}
	h := d.Header()
	if bodyAllowed(d.status) && !d.profile.Chunked && (d.held.Len() > 0 || d.request.Method != http.MethodHead) {
		h["Content-Length"] = []string{strconv.Itoa(d.held.Len())}
	}
	d.ResponseWriter.WriteHeader(d.status)
	if d.profile.Chunked && bodyAllowed(d.status) {
		if err := http.NewResponseController(d.ResponseWriter).Flush(); err != nil {
			return err
		}
	}
	if !bodyAllowed(d.status) || d.held.Len() == 0 {
		return nil
	}
	_, err := d.ResponseWriter.Write(d.held.Bytes())
	return err
}

// coding returns the content coding to use, "" for none.
func (d *dresser) coding(complete bool) string {
	h := d.Header()
	if h.Get("Content-Encoding") != "" || !bodyAllowed(d.status) || !compressible(h.Get("Content-Type")) {
		return ""
	}
	if complete && d.held.Len() < d.profile.CompressFrom {
		return ""
	}
	return chooseCoding(d.profile.Encodings, d.request.Header.Values("Accept-Encoding"))
}

// dress completes the header: what the service set stays.
func (d *dresser) dress(coding string) {
	h := d.Header()
	fields := d.ruled()
	for _, f := range fields {
		if len(h.Values(f.Name)) == 0 {
			h[http.CanonicalHeaderKey(f.Name)] = []string{f.Value}
		}
	}
	if d.quota != nil {
		for _, f := range quotaFields(d.profile, *d.quota, d.arrival) {
			h[http.CanonicalHeaderKey(f.Name)] = []string{f.Value}
		}
	}
	if coding != "" {
		h["Content-Encoding"] = []string{coding}
		h.Del("Content-Length")
		vary := append(h.Values("Vary"), "Accept-Encoding")
		h["Vary"] = []string{strings.Join(vary, ",")}
	}
	if ct := h.Get("Content-Type"); d.profile.JSONCharset && mediaType(ct) == "application/json" {
		h["Content-Type"] = []string{"application/json; charset=utf-8"}
	}
	h["Date"] = []string{d.now().UTC().Format(http.TimeFormat)}
	spellAsObserved(h)
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// compressible lists the media types that the provider's servers compress.
func compressible(contentType string) bool {
	switch mediaType(contentType) {
	case "application/json", "application/xml", "application/atom+xml":
		return true
	}
	return strings.HasPrefix(mediaType(contentType), "text/")
}
