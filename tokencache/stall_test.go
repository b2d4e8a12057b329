package tokencache

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// A 401 whose body stalls lets go of what it holds (a quota token, a slot, a
// permit) before another token is fetched, and its request goes out again.
func TestStalling401EndsSoon(t *testing.T) {
	for name, last := range map[string]int{"replayed": http.StatusOK, "refused again": http.StatusUnauthorized} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			api := tripper(func(r *http.Request) (*http.Response, error) {
				written(r.Context())
				if sent++; sent > 1 && last == http.StatusOK {
					return response(r, last, "fine"), nil
				}
				reader, _ := io.Pipe() // nobody writes
				res := response(r, http.StatusUnauthorized, "")
				res.Body = reader
				return res, nil
			})
			staged(t, Options{}, api, &idp{}, func(t *testing.T, send sender, s *Set) {
				acceptCurrent(t, s)
				start := time.Now()
				res, _, err := send(nil, nil)
				if took := time.Since(start); sent != 2 || took > time.Second {
					t.Errorf("%d attempts in %s", sent, took)
				}
				if (err == nil) != (last == http.StatusOK) || err == nil && res.StatusCode != last {
					t.Errorf("%v, %v", res, err)
				}
			})
		})
	}
}
