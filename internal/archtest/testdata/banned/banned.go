// Package banned uses everything that the linters must refuse; see
// scripts/lint-selftest.sh. It is never built into anything.
package banned

import (
	"crypto/tls"
	_ "expvar" // want depguard
	"io"
	"math/rand" // want depguard
	"net/http"
	"net/http/httputil"
	_ "net/http/pprof" // want depguard
	"net/url"
	"time"

	_ "github.com/prometheus/client_golang/prometheus" // want depguard
	_ "go.opentelemetry.io/otel"                       // want depguard
	_ "go.yaml.in/yaml/v3"                             // want depguard
)

// Use uses them.
func Use(r io.Reader, u *url.URL) {
	_ = http.DefaultClient                              // want forbidigo
	_ = http.DefaultTransport                           // want forbidigo
	_ = http.DefaultServeMux                            // want forbidigo
	_ = http.ProxyFromEnvironment                       // want forbidigo
	_, _ = http.Get(u.String())                         // want forbidigo
	_, _ = http.Head(u.String())                        // want forbidigo
	_, _ = http.Post(u.String(), "", nil)               // want forbidigo
	_, _ = http.PostForm(u.String(), nil)               // want forbidigo
	_ = httputil.NewSingleHostReverseProxy(u)           // want forbidigo
	_ = &httputil.ReverseProxy{Director: nil}           // want staticcheck
	_ = &tls.Config{InsecureSkipVerify: rand.Int() > 0} // want gosec
	_, _ = io.ReadAll(r)                                // want forbidigo
	time.Sleep(time.Second)                             // want forbidigo
}
