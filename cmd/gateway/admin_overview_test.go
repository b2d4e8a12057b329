package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/observability"
)

// watch streams to a recorder until the stream ends.
func watch(o *overviewAdmin) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	o.stream(w, httptest.NewRequest(http.MethodGet, pathEvents, http.NoBody))
	return w
}

func events(w *httptest.ResponseRecorder) int {
	return strings.Count(w.Body.String(), "event: overview\ndata: {")
}

// However many watch, each second one overview is made; who comes when all
// places are taken is refused, and the end of the replica ends all.
func TestOverviewIsMadeOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		o := newOverviewAdmin(func(context.Context) overviewDocument { made++; return overviewDocument{} }, nil)
		var all sync.WaitGroup
		var seen [maxWatchers]*httptest.ResponseRecorder
		for i := range seen {
			all.Go(func() { seen[i] = watch(o) })
		}
		<-time.After(3500 * time.Millisecond)
		if w := watch(o); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("one too many: %d %v", w.Code, w.Header())
		}
		o.end()
		o.end()
		all.Wait()
		if made != 4 {
			t.Errorf("%d overviews in 3.5 s, want 4", made)
		}
		for _, w := range seen {
			if n := events(w); n != 4 || !strings.HasPrefix(w.Body.String(), "event: hello\ndata: {\"may_change\":false}\n\n") {
				t.Errorf("a watcher has seen %d:\n%s", n, w.Body)
			}
		}
		<-time.After(time.Hour)
		if made != 4 {
			t.Errorf("%d overviews, though nobody watches", made)
		}
		if w := watch(o); events(w) != 1 {
			t.Errorf("a stream behind the end has %d events, want 1", events(w))
		}
	})
}

// A token that was taken back shows nothing for long.
func TestStreamsEndByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOverviewAdmin(func(context.Context) overviewDocument { return overviewDocument{} }, nil)
		begun := time.Now()
		watch(o)
		if lasted := time.Since(begun); lasted != watchFor {
			t.Errorf("a stream has lasted %s", lasted)
		}
	})
}

// An overview that panics, and one whose stores hang, is no stream's end but an
// error; the next is made anew.
func TestOverviewThatCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn, panics := 0, 0
		o := newOverviewAdmin(func(ctx context.Context) overviewDocument {
			switch turn++; turn {
			case 1:
				panic("planted")
			case 2:
				<-ctx.Done()
			}
			return overviewDocument{}
		}, func(any, []byte) { panics++ })
		show := func() int {
			w := httptest.NewRecorder()
			o.show(w, httptest.NewRequest(http.MethodGet, pathOverview, http.NoBody))
			return w.Code
		}
		if first, again := show(), show(); first != http.StatusInternalServerError || again != first || turn != 1 || panics != 1 {
			t.Errorf("%d, %d after %d turns and %d panics", first, again, turn, panics)
		}
		<-time.After(overviewEvery)
		begun := time.Now()
		if code := show(); code != http.StatusOK || time.Since(begun) != overviewTimeout {
			t.Errorf("%d after %s", code, time.Since(begun))
		}
	})
}

// A running gateway streams what it answers to /overview, tells who may change
// something, and does not wait for watchers when it stops.
func TestOverviewOfAWholeGateway(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: append(adminTokenFlags(), "--set", "admin.read_token=only-to-read-123456")})
	refused := r.do(t, http.MethodGet, "/nowhere/v1/x", "")
	plain := r.ask(t, http.MethodGet, pathOverview, "", func(http.Header) {})
	var d overviewDocument
	if err := json.Unmarshal([]byte(plain.text), &d); err != nil || plain.StatusCode != http.StatusOK || d.Status.State == "" || len(d.Breakers) == 0 {
		t.Fatal(plain.StatusCode, err, plain.text)
	}
	if len(d.Refusals) != 1 || d.Refusals[0].Request != refused.Header.Get("X-Request-Id") {
		t.Errorf("refusals: %+v", d.Refusals)
	}
	for token, want := range map[string]string{adminToken: "true", "only-to-read-123456": "false"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Admin+pathEvents, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() // which the end of the rig finds open
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for _, line := range []string{"event: hello", `data: {"may_change":` + want + `}`, "", "event: overview", "data: {", "", "event: overview"} {
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), line) {
				t.Fatalf("%q, want %q (%v)", lines.Text(), line, lines.Err())
			}
		}
	}
}

// The page may load and ask its own server only, and is no way around the guard.
func TestDashboardIsServed(t *testing.T) {
	t.Parallel()
	server := observability.Admin(observability.AdminOptions{Metrics: http.NotFoundHandler(), Page: dashboard()})
	get := func(host, path string) *http.Response {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://"+host+path, http.NoBody)
		server.ServeHTTP(w, r)
		return w.Result()
	}
	if root := get("127.0.0.1", "/"); root.StatusCode != http.StatusFound || root.Header.Get("Location") != "/ui/" {
		t.Errorf("/ is %d %v", root.StatusCode, root.Header)
	}
	for path, media := range map[string]string{"/ui/": "text/html", "/ui/app.js": "text/javascript", "/ui/style.css": "text/css"} {
		got := get("127.0.0.1", path)
		if got.StatusCode != http.StatusOK || !strings.HasPrefix(got.Header.Get("Content-Type"), media) || got.Header.Get("Content-Security-Policy") != uiPolicy {
			t.Errorf("%s: %d %v", path, got.StatusCode, got.Header)
		}
		if evil := get("evil.test", path); evil.StatusCode != http.StatusForbidden {
			t.Errorf("%s by a name of others: %d", path, evil.StatusCode)
		}
	}
	for _, path := range []string{"/ui/nothing", "/ui/../dashboard.go", "/x"} {
		if got := get("127.0.0.1", path); got.StatusCode == http.StatusOK {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}
