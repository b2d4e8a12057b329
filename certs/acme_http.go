package certs

import (
	"io"
	"net"
	"net/http"
	"strings"
)

const challengePath = "/.well-known/acme-challenge/"

// Challenges answers HTTP-01 challenges (RFC 8555 section 8.3) of our domains,
// also of those that another replica has begun. Everything else is refused
// unread, without a redirection: it would teach clients to send keys in the
// clear first.
func (a *ACME) Challenges() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		challenge := r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, challengePath)
		if challenge && a.answers(w, r) {
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		status, text := http.StatusForbidden, "This port answers challenges of a certificate authority only: use https.\n"
		if challenge {
			status, text = http.StatusNotFound, "No such challenge.\n"
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	})
}

func (a *ACME) answers(w http.ResponseWriter, r *http.Request) bool {
	client := a.client.Load()
	return client != nil && a.ours(hostOf(r)) && client.http.HandleHTTPChallenge(w, r)
}

func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}
