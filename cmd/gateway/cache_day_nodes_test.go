package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

// nodeWay is one way to change a location: where its Version is read, and where
// it is written. NODE stands for its id.
type nodeWay struct{ read, write string }

const (
	dayCompany   = "/entitymanager/v1/Companies(14146)"
	dayNode      = dayCompany + "/Tree/Nodes(NODE)"
	dayShopPath  = dayCompany + "/Locations(NODE)"
	dayLocations = dayCompany + "/Locations"
)

// nodeWays are all ways: one entity shows in four places and is written in two.
func nodeWays() []nodeWay {
	return []nodeWay{
		{companyTree, dayNode},
		{dayLocations, dayNode},
		{dayShopPath, dayNode},
		{dayNode, dayNode},
		{dayShopPath, dayShopPath},
		{dayLocations, dayShopPath},
		{companyTree, dayShopPath},
	}
}

func (w nodeWay) at(path string, node string) string { return strings.ReplaceAll(path, "NODE", node) }

// nodeWrite is one change of a location: read, modify, write.
type nodeWrite struct {
	caller, node string
	way          nodeWay
	read, write  *replica
}

// nodeWritten is how it went.
type nodeWritten struct {
	read, write dayAnswer
	version     float64 // that was read
}

// rewrite reads a location and writes it with the Version that was read.
func (s *dayShop) rewrite(ctx context.Context, w nodeWrite) (nodeWritten, error) {
	var done nodeWritten
	var err error
	done.read, err = s.do(ctx, dayCall{caller: w.caller, method: http.MethodGet, target: w.way.at(w.way.read, w.node), on: w.read})
	if err != nil {
		return done, err
	}
	var all any
	if err := json.Unmarshal(done.read.text, &all); err != nil {
		return done, err
	}
	node := findNode(all, w.node)
	if node == nil {
		return done, fmt.Errorf("no node %s in %.300s", w.node, done.read.text)
	}
	done.version, _ = node["Version"].(float64)
	node["Description"] = "changed " + time.Now().Format(time.RFC3339Nano)
	body, err := json.Marshal(node)
	if err != nil {
		return done, err
	}
	s.written.Add(1)
	done.write, err = s.do(ctx, dayCall{
		caller: w.caller, method: http.MethodPut, target: w.way.at(w.way.write, w.node), body: string(body), on: w.write,
		want: []int{http.StatusOK, http.StatusConflict},
	})
	if done.write.status == http.StatusConflict {
		s.conflicts.Add(1)
	}
	return done, err
}

// findNode returns the object with that id, wherever it is.
func findNode(in any, id string) map[string]any {
	switch v := in.(type) {
	case []any:
		for _, element := range v {
			if found := findNode(element, id); found != nil {
				return found
			}
		}
	case map[string]any:
		if fmt.Sprint(v["Id"]) == id && v["Version"] != nil {
			return v
		}
		return findNode(v["Nodes"], id)
	}
	return nil
}

// heardWithin is after which time a replica knows of a write through another.
const heardWithin = 100 * time.Millisecond

// changeLocation is a manager's change. The next one of the same location comes
// when all replicas know of it, also on a machine that is busy with the replay:
// TestFleetCacheVersions is about the 100 ms.
func (s *dayShop) changeLocation(ctx context.Context, e dayEvent) error {
	n := e.first % len(s.writing)
	s.writing[n].Lock()
	defer s.writing[n].Unlock()
	w := nodeWrite{caller: e.caller, node: dayLocation(n), way: nodeWays()[e.way], read: s.all[e.first/6%2], write: s.all[e.first/12%2]}
	begun := time.Now()
	done, err := s.rewrite(ctx, w)
	if done.write.status == http.StatusConflict {
		err = fmt.Errorf("%s of %s on replica %d, %s since the last change: Version %v, Cache-Status %s; written on replica %d: 409",
			w.way.read, w.node, e.first/6%2, begun.Sub(s.changed[n]), done.version, done.read.cache, e.first/12%2)
	}
	s.changed[n] = time.Now()
	wait := time.NewTimer(5 * heardWithin)
	defer wait.Stop()
	<-wait.C
	return err
}

// foreign is a writer that does not come through the gateway.
type foreign struct {
	*dayShop
	token string

	mu   sync.Mutex
	done int // changes; guarded by mu, also while one is made
}

func (s *dayShop) foreign(t *testing.T) *foreign {
	t.Helper()
	token, err := s.Token("")
	if err != nil {
		t.Fatal(err)
	}
	return &foreign{dayShop: s, token: token}
}

// write changes a location and returns its new Version.
func (f *foreign) write(t *testing.T, node string) float64 {
	t.Helper()
	now := f.ask(t, http.MethodGet, node, "")
	now["Description"] = "changed elsewhere"
	body, err := json.Marshal(now)
	if err != nil {
		t.Error(err)
	}
	version, _ := f.ask(t, http.MethodPut, node, string(body))["Version"].(float64)
	return version
}

// tryWrite does so beside other writers, one of which may be first.
func (f *foreign) tryWrite(t *testing.T, node string) {
	now := f.ask(t, http.MethodGet, node, "")
	body, err := json.Marshal(now)
	if err != nil {
		t.Error(err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	status, text := f.send(t, http.MethodPut, nodeWay{}.at(dayNode, node), string(body))
	switch status {
	case http.StatusOK:
		f.done++
	case http.StatusConflict:
	default:
		t.Errorf("past the gateway: %d %s", status, text)
	}
}

// recent are the last calls of the service as the upstream saw them.
func (f *foreign) recent() string {
	all := f.Ledger(iqsim.LedgerQuery{Service: "entitymanager"})
	var b strings.Builder
	for _, e := range all[max(0, len(all)-25):] {
		fmt.Fprintf(&b, "%s %s %s %d %s\n", e.Time.Format("05.000000"), e.Method, e.Target, e.Status, e.Header.Get("X-Request-Id"))
	}
	return b.String()
}

// changes returns how many there have been, all of them: none is half done.
func (f *foreign) changes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

func (f *foreign) ask(t *testing.T, method, node, body string) map[string]any {
	got := map[string]any{}
	status, text := f.send(t, method, nodeWay{}.at(dayNode, node), body)
	if err := json.Unmarshal(text, &got); err != nil || status != http.StatusOK {
		t.Errorf("%s %s, past the gateway: %d %v %s", method, node, status, err, text)
	}
	return got
}

// send makes a call straight at the simulation.
func (f *foreign) send(t *testing.T, method, target, body string) (int, []byte) {
	r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+f.token)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}
