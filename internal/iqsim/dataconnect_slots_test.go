package iqsim

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// serve calls h without a network, as the account ann.
func serve(t *testing.T, h http.Handler, path string, cookies []*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer token-ann")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestDCSlots(t *testing.T) {
	var s dcSlots
	for want := 1; want <= 2; want++ {
		if n, ok := s.take("a", 2); n != want || !ok {
			t.Fatalf("take %d: %d, %v", want, n, ok)
		}
	}
	if n, ok := s.take("a", 2); n != 2 || ok {
		t.Errorf("a third slot: %d, %v", n, ok)
	}
	if _, ok := s.take("b", 2); !ok {
		t.Error("another database has no slot")
	}
	if _, ok := s.take("a", -1); !ok {
		t.Error("no limit is a limit")
	}
	if active, most := s.count(); active != 4 || most != 3 {
		t.Errorf("active %d, most %d", active, most)
	}
	for _, database := range []string{"a", "a", "b"} {
		s.release(database)
	}
	if active, most := s.count(); active != 1 || most != 3 || len(s.active) != 1 {
		t.Errorf("active %d, most %d, %v", active, most, s.active)
	}
	if _, ok := s.take("c", 0); ok {
		t.Error("a limit of 0 gave a slot")
	}
}

func TestDCSlotsUnderRace(t *testing.T) {
	var s dcSlots
	var running, tooMany atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 200 {
				if _, ok := s.take("a", 8); !ok {
					continue
				}
				if running.Add(1) > 8 {
					tooMany.Add(1)
				}
				running.Add(-1)
				s.release("a")
			}
		})
	}
	wg.Wait()
	if tooMany.Load() > 0 {
		t.Errorf("more than 8 ran at once, %d times", tooMany.Load())
	}
	if active, most := s.count(); active != 0 || most < 1 || most > 8 {
		t.Errorf("active %d, most %d", active, most)
	}
}

// Nine requests that come together: eight are answered after the hold, one is
// refused at once, and the slots are free afterwards.
func TestDCNinthRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDC(DataConnectOptions{Hold: Duration(time.Second)})
		h := asCaller(d)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if w := serve(t, h, "/lists/stores", nil); w.Code != http.StatusOK {
					t.Errorf("status %d", w.Code)
				}
			})
		}
		synctest.Wait()
		ninth := serve(t, h, "/lists/stores", nil)
		const message = `{"Error":true,"Message":"Rate Limiting Applied. 8 active requests are already in progress."}`
		if ninth.Code != http.StatusTooManyRequests || ninth.Body.String() != message {
			t.Errorf("%d %s", ninth.Code, ninth.Body)
		}
		if len(ninth.Result().Cookies()) != 0 || ninth.Header().Get("Retry-After") != "" {
			t.Errorf("header %v", ninth.Header())
		}
		if w := serve(t, h, "/version", nil); w.Code != http.StatusOK {
			t.Errorf("/version needs a slot: %d", w.Code)
		}
		wg.Wait()
		if s := d.stats(); s.Active != 0 || s.MaxActive != 8 || s.Refused != 1 || s.Completed != 9 {
			t.Errorf("%+v", s)
		}
		if w := serve(t, h, "/lists/stores", nil); w.Code != http.StatusOK {
			t.Errorf("no slot afterwards: %d", w.Code)
		}
	})
}

func TestDCSlotsPerDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDC(DataConnectOptions{
			ActiveLimit: 1, Hold: Duration(time.Second), Databases: map[string]string{"bob": "other"},
		})
		h := asCaller(d)
		status := func(token string) int {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/lists/stores", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if got := status("token-ann"); got != http.StatusOK {
				t.Errorf("ann: %d", got)
			}
		})
		synctest.Wait()
		if got := status("token-eve"); got != http.StatusTooManyRequests {
			t.Errorf("eve shares ann's database, got %d", got)
		}
		if got := status("token-bob"); got != http.StatusOK {
			t.Errorf("bob has a database of his own, got %d", got)
		}
		wg.Wait()
	})
}

func TestDCSlotLimitOverHTTP(t *testing.T) {
	b := startDC(t, DataConnectOptions{ActiveLimit: 2, ChunkPause: Duration(time.Minute)})
	for range 2 {
		res, err := b.client.Do(b.request(t, http.MethodGet, "/reports/export?Size=1000000", ""))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
	}
	b.get(t, "/lists/stores").wantError(t, http.StatusTooManyRequests, "2 active requests")
	b.configure(DataConnectOptions{ActiveLimit: -1})
	if a := b.get(t, "/lists/stores"); a.status != http.StatusOK {
		t.Errorf("without a limit: %d", a.status)
	}
}
