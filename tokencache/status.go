package tokencache

import (
	"cmp"
	"slices"
	"time"
)

// State is what a credential is worth right now.
type State string

// The states.
const (
	StateNone    State = "none"    // no request has needed a token yet, or the last one has expired unused
	StateValid   State = "valid"   // a token serves
	StateFailing State = "failing" // the last fetch failed; a token may still serve, see Expires
	StateRefused State = "refused" // the endpoint refused the credential; a token may still serve
)

// Status describes one credential for operators. It holds no secret.
type Status struct {
	Environment string    `json:"environment"`
	Credential  string    `json:"credential"`
	Grant       Grant     `json:"grant"`
	State       State     `json:"state"`
	Fetching    bool      `json:"fetching"`            // a call to the token endpoint is under way
	Generation  uint64    `json:"generation"`          // of the newest token; 0 = never one
	Issued      time.Time `json:"issued,omitzero"`     // of that token
	Refresh     time.Time `json:"refresh,omitzero"`    // when it is to be renewed
	Expires     time.Time `json:"expires,omitzero"`    // when it ends
	LastError   string    `json:"last_error,omitzero"` // since the last success
	FailedAt    time.Time `json:"failed_at,omitzero"`
	NextAttempt time.Time `json:"next_attempt,omitzero"` // none before, after failures
	Refusals    int       `json:"refusals"`              // within the last hour
}

// Status returns the credentials of the set, sorted by environment and name.
func (s *Set) Status() []Status {
	now := time.Now()
	all := make([]Status, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, e.status(now))
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Credential, b.Credential))
	})
	return all
}

func (e *entry) status(now time.Time) Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.current.Load()
	usable := t.usable(now)
	s := Status{
		Environment: e.id.Environment,
		Credential:  e.id.Credential,
		Grant:       e.cred.Grant,
		State:       e.stateLocked(now, usable),
		Fetching:    e.flight != nil,
		Generation:  e.serial,
		FailedAt:    e.lastErrAt,
		Refusals:    len(e.history.recentRefusals(now)),
	}
	if t != nil {
		s.Issued, s.Refresh, s.Expires = t.life.issued, t.life.refresh, t.life.expires
	}
	if e.lastErr != nil {
		s.LastError = e.lastErr.Error()
		s.NextAttempt = e.history.next(!usable)
	}
	return s
}

func (e *entry) stateLocked(now time.Time, usable bool) State {
	switch {
	case e.lastErr != nil && (e.lastErr.Refused || now.Before(e.history.barred)):
		return StateRefused
	case e.lastErr != nil:
		return StateFailing
	case usable:
		return StateValid
	default:
		return StateNone
	}
}
