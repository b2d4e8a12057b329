package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/internal/rawcase"
)

// runRaw runs the raw cases of one number through the whole gateway.
func runRaw(t *testing.T, number string) {
	t.Helper()
	cases, err := rawcase.Load(filepath.Join("..", "..", "proxy", "testdata", "raw"))
	if err != nil {
		t.Fatal(err)
	}
	target, ran := rawTarget(t), 0
	for _, c := range cases {
		if strings.HasPrefix(c.Name, number) {
			t.Run(c.Name, func(t *testing.T) { rawcase.Run(t, c, target) })
			ran++
		}
	}
	if ran == 0 {
		t.Fatalf("there is no case of %s", number)
	}
}

func TestSEC01ConnectionCannotRemoveTheToken(t *testing.T) { runRaw(t, "SEC-01") }

func TestSEC04FieldsGoUpstreamByAllowList(t *testing.T) { runRaw(t, "SEC-04") }

func TestSEC06CredentialsOfCallersStopHere(t *testing.T) { runRaw(t, "SEC-06") }

func TestSEC03ForwardedFieldsAreNoEvidence(t *testing.T) { runRaw(t, "SEC-03") }

// forwarded are all fields by which a caller may pretend to be another.
func forwarded(r *http.Request) {
	for name, value := range map[string]string{
		"X-Forwarded-For": "10.9.9.9, 192.0.2.66", "Forwarded": "for=192.0.2.66", "X-Real-IP": "192.0.2.66", "True-Client-IP": "192.0.2.66",
		"X-Forwarded-Proto": "http", "X-Forwarded-Port": "80", "X-Forwarded-Prefix": "/x", "X-Forwarded-Uri": "/healthz", "X-Forwarded-Host": "evil.test",
	} {
		r.Header.Set(name, value)
	}
}

// X-Forwarded-For names the peer where the connection comes from a trusted
// network, in the log and nowhere else: it proves nothing, and goes no further.
func TestSEC03ForwardedForOfTrustedProxies(t *testing.T) {
	t.Parallel()
	for trusted, want := range map[string]string{
		"":                                "127.0.0.1:",
		"198.51.100.0/24":                 "127.0.0.1:",
		"127.0.0.0/8":                     "192.0.2.66",
		"::ffff:127.0.0.1":                "192.0.2.66",
		"127.0.0.1,192.0.2.0/24":          "10.9.9.9",
		"127.0.0.1,192.0.2.66,10.0.0.0/8": "10.9.9.9",
	} {
		t.Run(trusted, func(t *testing.T) {
			var flags []string
			if trusted != "" {
				flags = []string{"--set", `server.trusted_proxies=["` + strings.ReplaceAll(trusted, ",", `","`) + `"]`}
			}
			g := newRig(t, rigOptions{flags: flags})
			line := g.line(t, g.do(t, http.MethodGet, "/crm/v1/Companies(1)/Customers", "", forwarded).want(t, http.StatusOK))
			if !strings.HasPrefix(line.Peer, want) {
				t.Errorf("the peer is %q, want %q", line.Peer, want)
			}
			nobody := func(r *http.Request) { forwarded(r); r.Header.Del("X-Api-Key") }
			g.do(t, http.MethodGet, "/crm/v1/Companies(1)/Customers", "", nobody).want(t, http.StatusUnauthorized)
			for _, c := range g.calls("crm") {
				for name, values := range c.Header {
					if strings.Contains(name, "Forwarded") || strings.Contains(strings.Join(values, ","), "192.0.2.66") {
						t.Errorf("the upstream got %s: %q", name, values)
					}
				}
			}
			if len(g.calls("crm")) != 1 {
				t.Errorf("%d calls", len(g.calls("crm")))
			}
		})
	}
}
