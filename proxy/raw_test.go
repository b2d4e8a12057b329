package proxy_test

import (
	"testing"

	"iqgateway/internal/rawcase"
	"iqgateway/proxy"
)

// TestRaw plays testdata/raw over TLS: what each malformed message gets, and
// that nothing of it reaches the upstream in another form.
func TestRaw(t *testing.T) {
	f := newFront(t, frontOptions{Sanitize: func(o *proxy.SanitizeOptions) { o.MaxBody = 1 << 20 }})
	runCases(t, f, "testdata/raw")
}

// TestRawForwardProxy plays the cases of a listener for HTTP_PROXY clients.
func TestRawForwardProxy(t *testing.T) {
	f := newFront(t, frontOptions{Plain: true, Sanitize: func(o *proxy.SanitizeOptions) { o.AllowAbsolute = true }})
	runCases(t, f, "testdata/rawproxy")
}

func runCases(t *testing.T, f *front, dir string) {
	t.Helper()
	cases, err := rawcase.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { rawcase.Run(t, c, f.target()) })
	}
}
