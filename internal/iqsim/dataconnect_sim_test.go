package iqsim_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
)

// dataConnectClient calls the service through the whole simulation.
type dataConnectClient struct {
	*simtest.Server
	bearer string
	client *http.Client
}

func startDataConnect(t *testing.T, o iqsim.DataConnectOptions) *dataConnectClient {
	t.Helper()
	s := simtest.Start(t, iqsim.Options{DataConnect: o})
	return &dataConnectClient{s, s.Bearer(t), s.Client()}
}

func (c *dataConnectClient) get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+"/dataconnect"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", c.bearer)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := c.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestSimDataConnectExport(t *testing.T) {
	c := startDataConnect(t, iqsim.DataConnectOptions{})
	for _, coding := range []string{"identity", ""} { // "" lets net/http ask for gzip and undo it
		for _, format := range []string{"Csv", "Json"} {
			const size = 3<<20 + 7
			var header []string
			if coding != "" {
				header = []string{"Accept-Encoding", coding}
			}
			res := c.get(t, fmt.Sprintf("/reports/export?Response=%s&Size=%d", format, size), header...)
			got, want := sha256.New(), sha256.New()
			n, err := io.Copy(got, res.Body)
			if err != nil || n != size {
				t.Errorf("%s %q: %d bytes, %v", format, coding, n, err)
			}
			if err := iqsim.WriteExport(want, format, size); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Errorf("%s %q: other content", format, coding)
			}
		}
	}
	if s := c.DataConnectStats(""); s.Completed != 4 || s.Cancelled != 0 || s.Active != 0 {
		t.Errorf("%+v", s)
	}
}

// A client that leaves is noticed within a second, through every layer.
func TestSimDataConnectCancel(t *testing.T) {
	c := startDataConnect(t, iqsim.DataConnectOptions{})
	for _, coding := range []string{"identity", "gzip"} {
		before := c.DataConnectStats("").Cancelled
		res := c.get(t, "/reports/export?Response=Csv&Size=500000000000", "Accept-Encoding", coding)
		if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		deadline := time.NewTimer(time.Second)
		defer deadline.Stop()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for s := c.DataConnectStats(""); s.Active != 0 || s.Cancelled != before+1; s = c.DataConnectStats("") {
			select {
			case <-tick.C:
			case <-deadline.C:
				t.Fatalf("%s: not within a second: %+v", coding, s)
			}
		}
	}
}

func TestSimDataConnectSession(t *testing.T) {
	c := startDataConnect(t, iqsim.DataConnectOptions{CookieName: "Keks"})
	cookies := c.get(t, "/session").Cookies()
	if len(cookies) != 1 || cookies[0].Name != "Keks" {
		t.Fatalf("cookies %v", cookies)
	}
	if again := c.get(t, "/Lists/Stores", "Cookie", cookies[0].String()).Cookies(); len(again) != 0 {
		t.Errorf("cookies %v", again)
	}
	if s := c.DataConnectStats(""); s.SessionsOpened != 1 || s.SessionHits != 1 {
		t.Errorf("%+v", s)
	}
}

// The limit of eight holds on the way through the engine, and no window quota
// is counted beside it.
func TestSimDataConnectLimit(t *testing.T) {
	c := startDataConnect(t, iqsim.DataConnectOptions{ChunkPause: iqsim.Duration(time.Hour)})
	for range 8 {
		if res := c.get(t, "/reports/export?Size=1000000", "Accept-Encoding", "identity"); res.StatusCode != http.StatusOK {
			t.Fatal(res.Status)
		}
	}
	res := c.get(t, "/lists/stores", "Accept-Encoding", "identity")
	body, err := io.ReadAll(res.Body)
	const want = `{"Error":true,"Message":"Rate Limiting Applied. 8 active requests are already in progress."}`
	if err != nil || res.StatusCode != http.StatusTooManyRequests || string(body) != want {
		t.Errorf("%d %s %v", res.StatusCode, body, err)
	}
	if limit := res.Header.Values("X-RateLimit-Limit"); len(limit) != 0 {
		t.Errorf("a window of %v is counted", limit)
	}
	if s := c.DataConnectStats(""); s.Active != 8 || s.MaxActive != 8 || s.Refused != 1 {
		t.Errorf("%+v", s)
	}
}
