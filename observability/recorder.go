package observability

import (
	"errors"
	"io"
	"net/http"
)

// recorder watches what a response became. Optional interfaces are found
// through Unwrap by http.ResponseController.
type recorder struct {
	http.ResponseWriter
	status int // final status; 0 while none was sent
	bytes  int64
}

// WriteHeader implements [http.ResponseWriter]; interim answers are passed on
// and not recorded.
func (w *recorder) WriteHeader(status int) {
	if status >= http.StatusOK && w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// meter counts what was read of a request body.
type meter struct {
	io.ReadCloser
	bytes  int64
	failed bool // a read failed other than by the end of the body
}

// Read implements [io.Reader].
func (m *meter) Read(b []byte) (int, error) {
	n, err := m.ReadCloser.Read(b)
	m.bytes += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		m.failed = true
	}
	return n, err
}
