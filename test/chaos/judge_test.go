package chaos_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/test/chaos"
)

const host = "127.0.0.1:1"

func noon(seconds float64) time.Time {
	return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// seen is an entry of the ledger without fault.
func seen(nonce string, executed bool, edit ...func(*iqsim.LedgerEntry)) iqsim.LedgerEntry {
	e := iqsim.LedgerEntry{Service: "crm", Host: host, Header: http.Header{}, Authorizations: 1, TokenSerial: 3, Nonce: nonce, Executed: executed, Done: true}
	for _, f := range edit {
		f(&e)
	}
	return e
}

// call is a write of the nonce "n" through replica 0, from noon on for a second.
func call(a chaos.Answer) chaos.Call {
	return chaos.Call{Nonce: "n", Method: http.MethodPost, Begun: noon(0), Ended: noon(1), Answer: a}
}

func upstreams(status int, nonce string) chaos.Answer {
	return chaos.Answer{Status: status, Header: http.Header{"X-Sim-Nonce": {nonce}}}
}

// Each invariant is broken once, so that the judge is known to notice.
func TestJudge(t *testing.T) {
	notExecuted := own(503, `{"type":"u#breaker-open","outcome":"not_executed"}`)
	unknown := own(502, `{"type":"u#upstream-unreachable","outcome":"unknown"}`)
	cut := chaos.Answer{Err: errors.New("cut")}
	faulty := func(kind string) func(*iqsim.LedgerEntry) {
		return func(e *iqsim.LedgerEntry) { e.Faults = []string{kind} }
	}
	for name, tt := range map[string]struct {
		ledger    []iqsim.LedgerEntry
		answer    chaos.Answer
		disturbed bool
		want      string // in the violations; "" = none
	}{
		"executed, as told":              {[]iqsim.LedgerEntry{seen("n", true)}, upstreams(200, "n"), false, ""},
		"executed twice":                 {[]iqsim.LedgerEntry{seen("n", true), seen("n", true)}, upstreams(200, "n"), false, "I2"},
		"twice, and nobody knows":        {[]iqsim.LedgerEntry{seen("n", true), seen("n", true)}, cut, true, "I2"},
		"sent twice, executed once":      {[]iqsim.LedgerEntry{seen("n", false), seen("n", true)}, upstreams(200, "n"), false, ""},
		"lost":                           {nil, upstreams(200, "n"), false, "never executed"},
		"not executed, in truth":         {nil, notExecuted, false, ""},
		"not executed, a lie":            {[]iqsim.LedgerEntry{seen("n", true)}, notExecuted, true, "I2"},
		"refused, and executed":          {[]iqsim.LedgerEntry{seen("n", true)}, own(400, `{"type":"u#x"}`), true, "I2"},
		"rejected, and executed":         {[]iqsim.LedgerEntry{seen("n", true)}, upstreams(409, "n"), false, "I2"},
		"failed, and executed":           {[]iqsim.LedgerEntry{seen("n", true)}, upstreams(500, "n"), false, ""},
		"unknown on a disturbed way":     {[]iqsim.LedgerEntry{seen("n", true)}, unknown, true, ""},
		"unknown for no reason":          {[]iqsim.LedgerEntry{seen("n", true)}, unknown, false, "nothing was disturbed"},
		"unknown, the upstream cut it":   {[]iqsim.LedgerEntry{seen("n", true, faulty(iqsim.FaultReset))}, unknown, false, ""},
		"unknown, the upstream was slow": {[]iqsim.LedgerEntry{seen("n", true, faulty(iqsim.FaultLatency))}, unknown, false, "nothing was disturbed"},
		"broken for no reason":           {nil, cut, false, "nothing was disturbed"},
		"the answer of another":          {[]iqsim.LedgerEntry{seen("n", true)}, upstreams(200, "m"), false, "I3"},
		"an answer to nobody":            {[]iqsim.LedgerEntry{seen("n", true)}, upstreams(200, ""), false, "I3"},
		"two tokens":                     {[]iqsim.LedgerEntry{seen("n", true, func(e *iqsim.LedgerEntry) { e.Authorizations = 2 })}, upstreams(200, "n"), false, "I4"},
		"a token of nobody's":            {[]iqsim.LedgerEntry{seen("n", true, func(e *iqsim.LedgerEntry) { e.TokenSerial = 0 })}, upstreams(200, "n"), false, "I4"},
		"another host":                   {[]iqsim.LedgerEntry{seen("n", true, func(e *iqsim.LedgerEntry) { e.Host = "elsewhere" })}, upstreams(200, "n"), false, "I4"},
		"the caller's key":               {[]iqsim.LedgerEntry{seen("n", true, func(e *iqsim.LedgerEntry) { e.Header.Set("X-Api-Key", "k") })}, upstreams(200, "n"), false, "I4"},
	} {
		t.Run(name, func(t *testing.T) {
			journal := &chaos.Journal{}
			if tt.disturbed {
				journal.Begin(0, noon(0.5))(noon(0.6))
			}
			j := chaos.NewJudge(chaos.Rules{Hosts: []string{host}}, journal)
			j.Upstream(tt.ledger)
			j.Caller(call(tt.answer))
			got := strings.Join(j.Violations, "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("violations %q, want %q", got, tt.want)
			}
		})
	}
}

// Who leaves does not know, and that is nobody's fault; twice it may not be
// executed all the same.
func TestJudgeLetsCallersLeave(t *testing.T) {
	j := chaos.NewJudge(chaos.Rules{Hosts: []string{host}}, &chaos.Journal{})
	left := call(chaos.Answer{Err: errors.New("deadline")})
	left.Left = true
	j.Upstream([]iqsim.LedgerEntry{seen("n", true)})
	j.Caller(left)
	if f := j.Figures(); len(j.Violations) != 0 || f.Left != 1 || f.Uncertain() > f.Explained() {
		t.Errorf("%v\n%s", j.Violations, f)
	}
	j.Upstream([]iqsim.LedgerEntry{seen("n", true)})
	if len(j.Violations) != 1 {
		t.Errorf("a second execution: %v", j.Violations)
	}
}

// An execution that comes after the verdict counts all the same.
func TestJudgeNoticesLateExecutions(t *testing.T) {
	j := chaos.NewJudge(chaos.Rules{Hosts: []string{host}}, &chaos.Journal{})
	j.Caller(call(own(503, `{"type":"u#breaker-open","outcome":"not_executed"}`)))
	if len(j.Violations) != 0 {
		t.Fatal(j.Violations)
	}
	j.Upstream([]iqsim.LedgerEntry{seen("n", true)})
	if len(j.Violations) != 1 || j.Figures().Untrue != 1 {
		t.Errorf("%v\n%s", j.Violations, j.Figures())
	}
}

func TestJudgeCounts(t *testing.T) {
	journal := &chaos.Journal{}
	journal.Begin(0, noon(0))(noon(1))
	j := chaos.NewJudge(chaos.Rules{Hosts: []string{host}}, journal)
	j.Upstream([]iqsim.LedgerEntry{seen("n", true)})
	j.Caller(call(chaos.Answer{Err: errors.New("cut")}))
	read := call(upstreams(200, "r"))
	read.Nonce, read.Safe = "r", true
	j.Caller(read)
	f := j.Figures()
	if f.Writes != 1 || f.Reads != 1 || f.Uncertain() != 1 || f.OnDisturbed != 1 || f.UnknownExecuted != 1 || f.Executed != 1 {
		t.Errorf("%+v", f)
	}
	if text := f.String(); !strings.Contains(text, "1 writes, 1 reads") || !strings.Contains(text, "duplicates 0, lost 0, untrue 0") {
		t.Error(text)
	}
}

func TestJournal(t *testing.T) {
	j := &chaos.Journal{}
	j.Begin(1, noon(10))(noon(12))
	lasting := j.Begin(chaos.Everywhere, noon(20))
	for name, tt := range map[string]struct {
		replica    int
		begun, end float64
		want       bool
	}{
		"before":                   {1, 8, 9.9, false},
		"into it":                  {1, 8, 10.1, true},
		"within":                   {1, 11, 11.5, true},
		"a pool's moment later":    {1, 12.4, 13, true},
		"after":                    {1, 12.6, 13, false},
		"another replica":          {0, 8, 13, false},
		"asked for all":            {chaos.Everywhere, 11, 11.5, true},
		"what lasts, on a replica": {2, 100, 101, true},
	} {
		if got := j.Touches(tt.replica, noon(tt.begun), noon(tt.end)); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	lasting(noon(21))
	if j.Touches(2, noon(100), noon(101)) {
		t.Error("it has ended")
	}
}
