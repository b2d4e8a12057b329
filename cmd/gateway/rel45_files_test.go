package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// REL-45 without Redis: a gateway is killed while orders change what it keeps in
// data_dir, and while it ends and writes the rest. Every file is whole, what an
// operator was told to hold holds, and nothing was counted twice.
func TestFleetREL45Files(t *testing.T) {
	t.Parallel()
	random := newSeed(t)
	f := newFleet(t, nil, fleetOptions{replicas: -1, extra: "telemetry: {audit: {output: \"DIR/audit.log\"}}\n"})
	o := &orders{f: f, data: filepath.Join(f.dir, "data")}
	for i := range killPoints(4) {
		r := f.startIn(t, o.data)
		o.wantHeld(t, r)
		o.wantCounted(t, r)
		o.give(t, r, func() {
			if i%2 == 0 { // it counts the last requests while it ends
				f.use(t, 3, r)
				o.made += 3
				r.signal(t, syscall.SIGTERM)
				pass(t, time.Duration(random.Int64N(int64(20*time.Millisecond))))
			} else {
				pass(t, time.Duration(random.Int64N(int64(100*time.Millisecond))))
			}
			r.kill(t)
		})
		o.wantWhole(t)
	}
	last := f.startIn(t, o.data)
	o.wantHeld(t, last)
	f.use(t, 1, last)
	last.stop(t) // writes each file once more
	o.wantWhole(t)
	if kept, rest := o.files(t, "*.json"), o.files(t, "*.tmp"); len(kept) != 2 || len(rest) > 0 {
		t.Errorf("kept are %q; left behind by kills: %q", kept, rest)
	}
	t.Logf("%d orders and %d requests", o.last.Load(), o.made)
}

// A gateway that is killed while it makes its certificate authority has one after
// the next start.
func TestFleetREL45FirstStart(t *testing.T) {
	t.Parallel()
	random := newSeed(t)
	f := newFleet(t, nil, fleetOptions{replicas: -1, config: strings.Replace(fleetConfig, "{mode: none}", "{mode: self_signed}", 1)})
	m := &member{server: lastingAddress(t), status: lastingAddress(t), admin: lastingAddress(t)}
	g := &rolling{replicas: f}
	f.write(t, "gateway.yaml", f.read(t, "gateway.yaml")+"status: {address: \"127.0.0.1:0\"}\n")
	for range killPoints(2) {
		m.data = t.TempDir()
		g.execute(t, m)
		pass(t, time.Duration(random.Int64N(int64(80*time.Millisecond))))
		m.process.kill(t)
		g.run(t, m)
		m.process.stop(t)
	}
}

// orders are those that an operator gives to one gateway without end.
type orders struct {
	f    *replicas
	data string
	last atomic.Int64 // that it was told to hold
	made int64        // requests
}

const ordersKey = "services.crm.limits.max_in_flight"

// give has orders given to r until it is gone; kill comes when one is answered.
func (o *orders) give(t *testing.T, r *replica, kill func()) {
	t.Helper()
	gone, before := make(chan struct{}), o.last.Load()
	go func() {
		defer close(gone)
		for {
			next := o.last.Load() + 1
			body := `{"key": "` + ordersKey + `", "value": "` + strconv.FormatInt(next, 10) + `", "for": "1h", "reason": "too many"}`
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.adminAt+pathOverrides, strings.NewReader(body))
			if err != nil {
				return
			}
			req.Header.Set("Authorization", "Bearer "+o.f.admin)
			req.Header.Set("Content-Type", "application/json")
			resp, err := o.f.client.Do(req)
			if err != nil {
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("order %d: %d", next, resp.StatusCode)
				return
			}
			o.last.Store(next)
		}
	}()
	await(t, "an order is answered", func() bool { return o.last.Load() > before })
	kill()
	<-gone
}

// wantHeld wants the last order to hold that was answered, or the one that was cut
// short.
func (o *orders) wantHeld(t *testing.T, r *replica) {
	t.Helper()
	var all overrideList
	status, text := o.f.api(t, r, http.MethodGet, pathOverrides, "")
	if err := json.Unmarshal([]byte(text), &all); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	var held int64
	for _, one := range all.Overrides {
		held, _ = strconv.ParseInt(one.Value, 10, 64)
	}
	if told := o.last.Load(); held != told && held != told+1 {
		t.Errorf("order %d was answered, %d holds: %s", told, held, text)
	}
	o.last.Store(held)
}

// wantCounted wants no more requests to be counted than were made.
func (o *orders) wantCounted(t *testing.T, r *replica) {
	t.Helper()
	if got, _ := o.f.usageOf(t, r); got.Requests > o.made {
		t.Errorf("%d requests were counted, %d made", got.Requests, o.made)
	}
}

// wantWhole wants every file to be what was written, from its beginning to its end.
func (o *orders) wantWhole(t *testing.T) {
	t.Helper()
	for _, name := range o.files(t, "*.json") {
		if text, err := os.ReadFile(name); err != nil || !json.Valid(text) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	audit, err := os.ReadFile(filepath.Join(o.f.dir, "audit.log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for line := range bytes.Lines(audit) {
		if !json.Valid(line) || !bytes.HasSuffix(line, []byte("\n")) {
			t.Errorf("audit log: %q", line)
		}
	}
}

func (o *orders) files(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(o.data, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
