package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
)

// sickRig is a gateway whose callers say themselves what their requests meet at
// the upstream. There are two callers, storefront and till.
type sickRig struct {
	*rig
	tillKey string
}

// newSickRig starts one with the services: YAML below services, without the
// header that orders faults.
func newSickRig(t *testing.T, services string, o rigOptions) *sickRig {
	t.Helper()
	key, digest := auth.NewKey()
	o.extra += "services:\n" + strings.ReplaceAll(services, "FAULTS", "headers: {forward: [X-Sim-Fault]}, cache: {mode: none}")
	o.flags = append(o.flags, "--set", "admin.token="+adminToken,
		"--set", "callers.till.keys=[{id: till-1, sha256: "+digest+"}]",
		"--set", `callers.till.access=[{credential: retail, services: {"*": write}}]`)
	o.sim.Switches.FaultHeader = true
	o.sim.LedgerSize = 50_000
	if o.sim.Limits == nil { // quota is not what these tests are about
		o.sim.Limits = map[string]int{"crm": 1_000_000, "availability": 1_000_000, "pricing": 1_000_000}
	}
	return &sickRig{rig: newRig(t, o), tillKey: key}
}

// meets has a request meet a fault.
func meets(fault string) func(*http.Request) { return setHeader("X-Sim-Fault", fault) }

// byTill makes a request one of the other caller.
func (r *sickRig) byTill(req *http.Request) { req.Header.Set("X-Api-Key", r.tillKey) }

// order has the operator do something with a breaker.
func (r *sickRig) order(t *testing.T, want string, args ...string) {
	t.Helper()
	r.operate(t, want, append([]string{"breaker"}, args...)...)
}

// ask reads a document of the admin API.
func (r *sickRig) ask(t *testing.T, path string, into any) {
	t.Helper()
	a := r.get(t, "http://"+r.Admin+path, bearer(adminToken)).want(t, http.StatusOK)
	if err := json.Unmarshal([]byte(a.text), into); err != nil {
		t.Fatal(err)
	}
}

// breakers returns the breakers as the admin API shows them, by name.
func (r *sickRig) breakers(t *testing.T) map[string]breakerDocument {
	t.Helper()
	var list breakerList
	r.ask(t, pathBreakers, &list)
	all := map[string]breakerDocument{}
	for _, b := range list.Breakers {
		all[b.Breaker] = b
	}
	return all
}

// arm has requests meet a fault from now on.
func (r *rig) arm(t *testing.T, f iqsim.Fault) {
	t.Helper()
	if _, err := r.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

// metric returns the lines of a metric that hold all of the texts.
func (r *rig) metric(t *testing.T, name string, having ...string) []string {
	t.Helper()
	var lines []string
lines:
	for line := range strings.Lines(r.get(t, "http://"+r.Admin+"/metrics").text) {
		if !strings.HasPrefix(line, name+"{") {
			continue
		}
		for _, h := range having {
			if !strings.Contains(line, h) {
				continue lines
			}
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// accessLine is what the log tells of a request's attempts.
type accessLine struct {
	RequestID string `json:"request_id"`
	Msg       string `json:"msg"`
	Attempts  int    `json:"attempts"`
	Retries   int    `json:"retries"`
	Retry     string `json:"retry"`
	Breaker   string `json:"breaker"`
	Cache     string `json:"cache"`
	Reason    string `json:"cache_reason"`
	Peer      string `json:"peer"`
}

// line returns the access line of an answer.
func (r *rig) line(t *testing.T, a answer) (found accessLine) {
	t.Helper()
	id := a.Header.Get("X-Request-Id")
	await(t, "the access line of "+id, func() bool {
		for text := range strings.Lines(r.logs.String()) {
			var one accessLine
			if strings.Contains(text, id) && json.Unmarshal([]byte(text), &one) == nil && one.Msg == "request" && one.RequestID == id {
				found = one
				return true
			}
		}
		return false
	})
	return found
}

// struck are the requests to a service that met a fault.
func (r *rig) struck(service string) (list []iqsim.LedgerEntry) {
	for _, e := range r.calls(service) {
		if len(e.Faults) > 0 {
			list = append(list, e)
		}
	}
	return list
}
