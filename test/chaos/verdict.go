package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Verdict is what a caller may conclude from what came back.
type Verdict string

// Every verdict, and what must be true of the write then.
const (
	OK          Verdict = "ok"           // the upstream's 2xx or 3xx: executed once
	Rejected    Verdict = "rejected"     // the upstream's 4xx: not executed
	Failed      Verdict = "failed"       // the upstream's 5xx: at most once
	NotExecuted Verdict = "not_executed" // the gateway says so: not executed
	Refused     Verdict = "refused"      // the gateway answers without a word on it: not executed
	Unknown     Verdict = "unknown"      // the gateway says so: at most once
	Broken      Verdict = "broken"       // no answer, to the knowledge of nobody: at most once
)

// Verdicts returns all of them, in the order of reports.
func Verdicts() []Verdict {
	return []Verdict{OK, Rejected, Failed, NotExecuted, Refused, Unknown, Broken}
}

// allows returns the least and the most executions that a verdict allows.
func (v Verdict) allows() (least, most int) {
	switch v {
	case OK:
		return 1, 1
	case Rejected, NotExecuted, Refused:
		return 0, 0
	default:
		return 0, 1
	}
}

// uncertain reports whether the verdict leaves the fate open because something
// broke on the way, which must then have been disturbed.
func (v Verdict) uncertain() bool { return v == Unknown || v == Broken }

// Answer is what a caller got.
type Answer struct {
	Status int // 0 = not even a header
	Header http.Header
	Body   []byte // as far as it came
	Err    error  // why there is no whole answer; nil = there is
}

// gatewayName is how the gateway calls itself in Proxy-Status (RFC 9209).
const gatewayName = "iqgateway"

// problem is the part of a problem document that matters here.
type problem struct {
	Type    string `json:"type"`
	Outcome string `json:"outcome"`
}

// Verdict of the answer to a write; the text says what it is made from.
func (a Answer) Verdict() (Verdict, string, error) {
	switch {
	case a.Status == 0:
		return Broken, "", nil
	case a.own():
		return a.ownVerdict()
	// The status is the upstream's word, whether or not the body came whole.
	case a.Status < http.StatusBadRequest:
		return OK, "", nil
	case a.Status < http.StatusInternalServerError:
		return Rejected, fmt.Sprint(a.Status), nil
	default:
		return Failed, fmt.Sprint(a.Status), nil
	}
}

// own reports whether the gateway made the answer.
func (a Answer) own() bool {
	return a.Header.Get("Content-Type") == "application/problem+json" &&
		strings.HasPrefix(a.Header.Get("Proxy-Status"), gatewayName)
}

func (a Answer) ownVerdict() (Verdict, string, error) {
	var p problem
	err := json.Unmarshal(a.Body, &p)
	if a.Err != nil && err != nil { // it broke off
		return Broken, "", nil //nolint:nilerr // the judge looks into why
	}
	if err != nil {
		return Broken, "", fmt.Errorf("a problem document that is none: %w: %.200q", err, a.Body)
	}
	_, kind, _ := strings.Cut(p.Type, "#")
	switch p.Outcome {
	case "not_executed":
		return NotExecuted, kind, nil
	case "unknown":
		return Unknown, kind, nil
	case "":
		return Refused, kind, nil
	}
	return Broken, kind, errors.New("outcome " + p.Outcome + " is no word of the gateway's")
}

// Call is one request of the load and what its caller got.
type Call struct {
	Nonce   string
	Replica int
	Method  string
	Safe    bool // a read
	Left    bool // the caller went away before it had the answer
	Begun   time.Time
	Ended   time.Time
	Answer  Answer
}
