package exchange

import (
	"net/http"
	"time"
)

// Outcome says what became of a request that the gateway could not finish.
type Outcome string

// What an application may rely on after an error (DESIGN: no unsafe request is
// silently lost or executed twice).
const (
	OutcomeNone        Outcome = ""             // says nothing: not forwarded, or safe
	NotExecuted        Outcome = "not_executed" // never reached the upstream: may be repeated
	OutcomeUnknown     Outcome = "unknown"      // may or may not have been executed
	maxPublicDetailLen         = 1024
)

// Problem is a refusal or failure that the gateway answers itself, as an error
// that any stage returns and one place renders (RFC 9457, RFC 9209). Detail is
// public; Err, the cause, goes to the log only.
type Problem struct {
	Type       ProblemType
	Detail     string        // for a human: what happened, which value, the way out
	Err        error         // private cause, may be nil
	RetryAfter time.Duration // 0 = unknown
	Outcome    Outcome
	Header     http.Header    // further response fields (Allow, WWW-Authenticate), may be nil
	Extra      map[string]any // further members of the problem document, may be nil
	Close      bool           // the connection cannot be trusted or must not be read on
}

// Refuse returns a problem of type t with a public detail.
func Refuse(t ProblemType, detail string) *Problem {
	if len(detail) > maxPublicDetailLen {
		detail = detail[:maxPublicDetailLen]
	}
	return &Problem{Type: t, Detail: detail}
}

// Because returns p with its private cause set.
func (p *Problem) Because(err error) *Problem {
	p.Err = err
	return p
}

// Error implements error. The text is for logs: it includes the cause.
func (p *Problem) Error() string {
	text := string(p.Type)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if p.Err != nil {
		text += ": " + p.Err.Error()
	}
	return text
}

// Unwrap returns the private cause.
func (p *Problem) Unwrap() error { return p.Err }

// Status returns the HTTP status of the problem.
func (p *Problem) Status() int { return p.Type.Spec().Status }
