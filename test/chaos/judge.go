package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"iqgateway/internal/iqsim"
)

// Rules are what every request that reached the upstream must look like.
type Rules struct {
	Hosts []string // that the gateways were told to call
}

// Seen is what the upstream knows of one nonce.
type Seen struct {
	Requests int
	Executed int
	// Broke tells that the upstream itself spoilt an exchange: it cut, stalled
	// or garbled it.
	Broke bool
}

// Judge finds what contradicts the invariants: I2 nothing executed twice and
// every verdict true, I3 every answer is that to its question, I4 every request
// upstream is as it should be. It is fed piecemeal and not safe for concurrent
// use.
type Judge struct {
	Rules   Rules
	Journal *Journal
	// Violations are the contradictions, each in a sentence.
	Violations []string

	seen     map[string]*Seen
	verdicts map[string]Verdict // of writes, for executions that come late
	figures  Figures
}

// Figures are what a report tells.
type Figures struct {
	Writes, Reads   int
	ByVerdict       map[Verdict]int
	Reasons         map[string]int // verdict and the gateway's problem or the upstream's status
	Executed        int
	Duplicates      int
	Lost            int // ok, and not executed
	Untrue          int // not executed by verdict, and executed
	OnDisturbed     int // writes under way where something was cut, stalled, slowed or killed
	OnSpoilt        int // others of which the upstream spoilt the exchange
	Left            int // others whose caller went away
	UnknownExecuted int
}

// NewJudge returns a judge who has seen nothing yet.
func NewJudge(rules Rules, journal *Journal) *Judge {
	return &Judge{
		Rules: rules, Journal: journal, seen: map[string]*Seen{}, verdicts: map[string]Verdict{},
		figures: Figures{ByVerdict: map[Verdict]int{}, Reasons: map[string]int{}},
	}
}

// Upstream takes in what the upstream saw.
func (j *Judge) Upstream(entries []iqsim.LedgerEntry) {
	for i := range entries {
		e := &entries[i]
		j.checkRequest(e)
		if e.Nonce == "" {
			continue
		}
		s := j.seen[e.Nonce]
		if s == nil {
			s = &Seen{}
			j.seen[e.Nonce] = s
		}
		s.Requests++
		s.Executed += oneIf(e.Executed)
		s.Broke = s.Broke || spoilt(e.Faults)
		if v, late := j.verdicts[e.Nonce]; late && e.Executed {
			j.executed(e.Nonce, v, s.Executed)
		}
	}
}

// spoilt reports whether one of the faults leaves the gateway without a whole,
// timely answer.
func spoilt(faults []string) bool {
	return slices.ContainsFunc(faults, func(kind string) bool {
		return kind == iqsim.FaultReset || kind == iqsim.FaultStall || kind == iqsim.FaultTruncate || kind == iqsim.FaultRaw
	})
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// checkRequest is I4: one token that the upstream knows, one host, nothing of
// the caller's.
func (j *Judge) checkRequest(e *iqsim.LedgerEntry) {
	if !slices.Contains(j.Rules.Hosts, e.Host) {
		j.violation("I4: request %d asks for the host %q", e.Seq, e.Host)
	}
	for _, name := range []string{"X-Api-Key", "Cookie", "Proxy-Authorization", "X-Forwarded-For", "Forwarded"} {
		if values := e.Header.Values(name); len(values) > 0 {
			j.violation("I4: request %d carries %s", e.Seq, name)
		}
	}
	want := 1
	if e.Service == "accounts" { // the password grant: its secrets are in the body
		want = 0
	}
	if e.Authorizations != want || want == 1 && e.TokenSerial == 0 {
		j.violation("I4: request %d for %s has %d Authorization fields, with the token number %d", e.Seq, e.Service, e.Authorizations, e.TokenSerial)
	}
}

// Caller takes in what a caller got, after the upstream's knowledge of it.
func (j *Judge) Caller(c Call) {
	verdict, reason, err := c.Answer.Verdict()
	if err != nil {
		j.violation("%s: %v", c.Nonce, err)
	}
	j.checkNonce(c, verdict)
	if c.Safe {
		j.figures.Reads++
		return
	}
	seen := j.seen[c.Nonce]
	if seen == nil {
		seen = &Seen{}
	}
	j.verdicts[c.Nonce] = verdict
	j.count(c, verdict, reason, seen)
	j.executed(c.Nonce, verdict, seen.Executed)
	if verdict == OK && seen.Executed == 0 {
		j.figures.Lost++
		j.violation("%s: %s answered %d, and never executed", c.Nonce, c.Method, c.Answer.Status)
	}
	if verdict.uncertain() && !seen.Broke && !c.Left && !j.touched(c) {
		j.violation("%s: %s %s %s, although nothing was disturbed on its way (%s to %s): %v",
			c.Nonce, c.Method, verdict, reason, c.Begun.Format("05.000"), c.Ended.Format("05.000"), c.Answer.Err)
	}
}

// checkNonce is I3.
func (j *Judge) checkNonce(c Call, verdict Verdict) {
	if c.Answer.Status == 0 || c.Answer.own() {
		return
	}
	if got := c.Answer.Header.Get("X-Sim-Nonce"); got != c.Nonce && (got != "" || verdict == OK) {
		j.violation("I3: %s got the answer %d to %q", c.Nonce, c.Answer.Status, got)
	}
}

// executed is I2: it judges the number of executions by the verdict.
func (j *Judge) executed(nonce string, verdict Verdict, times int) {
	_, most := verdict.allows()
	if times <= most {
		return
	}
	if times > 1 {
		j.figures.Duplicates++
	} else {
		j.figures.Untrue++
	}
	j.violation("I2: %s was executed %d times, and its verdict is %s", nonce, times, verdict)
}

func (j *Judge) touched(c Call) bool { return j.Journal.Touches(c.Replica, c.Begun, c.Ended) }

func (j *Judge) count(c Call, verdict Verdict, reason string, seen *Seen) {
	f := &j.figures
	f.Writes++
	f.ByVerdict[verdict]++
	f.Executed += seen.Executed
	if reason != "" {
		f.Reasons[string(verdict)+" "+reason]++
	}
	switch {
	case j.touched(c):
		f.OnDisturbed++
	case seen.Broke:
		f.OnSpoilt++
	case c.Left:
		f.Left++
	}
	if verdict.uncertain() {
		f.UnknownExecuted += seen.Executed
	}
}

// maxViolations bounds what is kept: one defect may spoil thousands of writes.
const maxViolations = 50

func (j *Judge) violation(format string, values ...any) {
	if len(j.Violations) < maxViolations {
		j.Violations = append(j.Violations, fmt.Sprintf(format, values...))
	}
}

// Figures returns the counts so far.
func (j *Judge) Figures() Figures { return j.figures }

// Explained is the number of writes that may be of unknown fate.
func (f Figures) Explained() int { return f.OnDisturbed + f.OnSpoilt + f.Left }

// Uncertain is the number of writes whose caller does not know their fate.
func (f Figures) Uncertain() int { return f.ByVerdict[Unknown] + f.ByVerdict[Broken] }

// Short is the report in a line.
func (f Figures) Short() string {
	return fmt.Sprintf("%d writes: ok %d, of unknown fate %d of %d explained, not executed %d, duplicates %d, lost %d, untrue %d",
		f.Writes, f.ByVerdict[OK], f.Uncertain(), f.Explained(), f.ByVerdict[NotExecuted], f.Duplicates, f.Lost, f.Untrue)
}

// String is the report, one fact per line.
func (f Figures) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d writes, %d reads\n", f.Writes, f.Reads)
	for _, v := range Verdicts() {
		fmt.Fprintf(&b, "  %-12s %d\n", v, f.ByVerdict[v])
	}
	fmt.Fprintf(&b, "executed %d, duplicates %d, lost %d, untrue %d\n", f.Executed, f.Duplicates, f.Lost, f.Untrue)
	fmt.Fprintf(&b, "of unknown fate to their caller %d (of these executed %d); on disturbed ways %d, spoilt by the upstream %d, left by the caller %d\n",
		f.Uncertain(), f.UnknownExecuted, f.OnDisturbed, f.OnSpoilt, f.Left)
	for _, reason := range slices.Sorted(maps.Keys(f.Reasons)) {
		fmt.Fprintf(&b, "  %-60s %d\n", reason, f.Reasons[reason])
	}
	return b.String()
}
