package cache_test

import (
	"net/http"
	"testing"
	"time"

	"iqgateway/cache"
)

// TestRFC9111_4_3_5_TimesOfAHEAD: the stored answer is as old and as long fresh
// as the HEAD says that confirms it.
func TestRFC9111_4_3_5_TimesOfAHEAD(t *testing.T) {
	const one = `Etag: "1"`
	sc := newScript(t, cache.ModeRFC9111, stackOptions{})
	sc.run(t,
		step{says: &says{fields: []string{fresh60, one}, body: "text"}, body: "text", cache: "fwd=uri-miss"},
		step{pass: 70 * time.Second, do: "HEAD /v1/a", says: &says{fields: []string{"Cache-Control: public, max-age=600", "Age: 30", one}, body: "text"}, cache: "fwd=stale"},
		step{pass: time.Second, body: "text", cache: "hit; ttl=569", has: []string{"Age: 31"}},
	)
}

// TestRFC9111_4_3_5_AHEADThatFailed freshens nothing: its answer is the stored
// one itself.
func TestRFC9111_4_3_5_AHEADThatFailed(t *testing.T) {
	rule := everything()
	rule.StaleIfError = time.Hour
	sc := newScript(t, cache.ModePolicy, stackOptions{rule: rule})
	sc.run(t,
		step{says: &says{fields: []string{`Etag: "1"`}, body: "text"}, body: "text", cache: "fwd=uri-miss"},
		step{pass: 2 * time.Minute, do: "HEAD /v1/a", says: &says{status: 503}, cache: "fwd=stale; fwd-status=503"},
		step{body: "text", cache: "hit; ttl=-"},
	)
}

// TestRFC9111_4_3_4_A304AboutAnother representation confirms nothing: the answer
// is asked for whole.
func TestRFC9111_4_3_4_A304AboutAnother(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=60")
			switch tag := r.Header.Get("If-None-Match"); {
			case tag != "":
				w.Header().Set("Etag", `"2"`)
				w.WriteHeader(http.StatusNotModified)
			default:
				w.Header().Set("Etag", `"1"`)
				_, _ = w.Write([]byte("whole"))
			}
		}})
		sc.run(t,
			step{body: "whole", cache: "fwd=uri-miss"},
			step{pass: 70 * time.Second, body: "whole", cache: "fwd=stale; fwd-status=200", asked: 2},
		)
	})
}

// TestRFC9110_15_4_5_A304ThatNobodyAskedFor goes to the caller as it came.
func TestRFC9110_15_4_5_A304ThatNobodyAskedFor(t *testing.T) {
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }})
	s.get("/v1/a").want(t, 304, "", "fwd=uri-miss; fwd-status=304")
	s.wantAsked(1)
}
