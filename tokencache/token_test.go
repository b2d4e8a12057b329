package tokencache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/secret"
)

func testToken(generation uint64, left time.Duration) *token {
	return &token{
		field:   secret.New(fmt.Sprintf("Bearer %s-%d", canaryToken, generation)),
		refresh: secret.New(canaryRefresh),
		serial:  generation,
		life:    newLife(time.Now(), left, 0, 0),
	}
}

// The moment of use decides: a request may have waited for quota since it got
// its token.
func TestAuthorizeWritesTheNewestValidToken(t *testing.T) {
	cases := map[string]struct {
		held, current *token
		want          string
		generation    uint64
	}{
		"held":              {testToken(1, time.Hour), nil, "Bearer " + canaryToken + "-1", 1},
		"renewed meanwhile": {testToken(1, time.Hour), testToken(2, time.Hour), "Bearer " + canaryToken + "-2", 2},
		"expired, renewed":  {testToken(1, -time.Hour), testToken(2, time.Hour), "Bearer " + canaryToken + "-2", 2},
		"all expired":       {testToken(1, -time.Hour), testToken(2, -time.Hour), "", 0},
		"current expired":   {testToken(1, time.Hour), testToken(0, -time.Hour), "Bearer " + canaryToken + "-1", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := &entry{}
			e.current.Store(c.current)
			h := http.Header{"Authorization": {"Bearer of the caller", "Basic x"}}
			ticket := &ticket{entry: e, held: c.held}
			ticket.Authorize(h)
			values := h.Values("Authorization")
			switch {
			case c.want == "" && len(values) != 0, c.want != "" && (len(values) != 1 || values[0] != c.want):
				t.Errorf("Authorization %q, want %q", values, c.want)
			case ticket.wrote.Load().generation() != c.generation:
				t.Errorf("booked generation %d, want %d", ticket.wrote.Load().generation(), c.generation)
			}
		})
	}
}

func TestNoPrintedFormShowsAToken(t *testing.T) {
	e := &entry{secrets: testSecrets(), cred: testCredential(nil)}
	e.current.Store(testToken(1, time.Hour))
	for _, value := range []any{
		testToken(1, time.Hour), &ticket{entry: e, held: testToken(1, time.Hour)},
		testCredential(nil), testSecrets(), e.status(time.Now()),
	} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			checkClean(t, format, fmt.Sprintf(format, value))
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("value", value))
		checkClean(t, "slog", log.String())
		encoded, err := json.Marshal(value)
		if err == nil {
			checkClean(t, "JSON", string(encoded))
		}
	}
}

func TestWhatAccepts(t *testing.T) {
	for status, want := range map[int]bool{
		200: true, 304: true, 400: true, 403: true, 404: true, 500: true,
		401: false, 408: false, 429: false, 502: false, 503: false, 504: false,
	} {
		if accepts(status) != want {
			t.Errorf("%d accepts: %t", status, !want)
		}
	}
}
