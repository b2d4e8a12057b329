package tokencache

import (
	"cmp"
	"slices"
	"time"
)

// State is what a credential is worth right now.
type State string

// The states. In the last three a token may still serve, see Status.Expires.
const (
	StateNone    State = "none"    // no request has needed a token yet, or the last one has expired unused
	StateValid   State = "valid"   // a token serves
	StateFailing State = "failing" // the last fetch failed
	StateRefused State = "refused" // the endpoint refused the credential
	StateStopped State = "stopped" // it did so too often: no attempt until the secrets change or an operator asks for one
)

// Status describes one credential for operators. It holds no secret.
type Status struct {
	Environment string    `json:"environment"`
	Credential  string    `json:"credential"`
	Grant       Grant     `json:"grant"`
	State       State     `json:"state"`
	Fetching    bool      `json:"fetching"`              // a fetch is under way, here or elsewhere
	Generation  uint64    `json:"generation"`            // of the current token: the fleet's number if Shared, else this process's; 0 = none
	Shared      bool      `json:"shared"`                // the fleet has that token
	Holder      string    `json:"holder,omitempty"`      // the replica that fetched it
	Accepted    bool      `json:"accepted"`              // an upstream has taken it, as far as is known here
	Issued      time.Time `json:"issued,omitzero"`       // of that token
	Refresh     time.Time `json:"refresh,omitzero"`      // when this replica renews it
	Expires     time.Time `json:"expires,omitzero"`      // when it ends
	ReplacedAt  time.Time `json:"replaced_at,omitzero"`  // when a 401 last led to a new token
	LastError   string    `json:"last_error,omitempty"`  // since the last success
	FailedAt    time.Time `json:"failed_at,omitzero"`    // when that was
	NextAttempt time.Time `json:"next_attempt,omitzero"` // none before, after failures; zero in StateStopped
	Refusals    int       `json:"refusals"`              // since the last success or change of the secrets
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
	next, stopped := e.history.next(!usable, e.jitter)
	s := Status{
		Environment: e.id.Environment,
		Credential:  e.id.Credential,
		Grant:       e.cred.Grant,
		State:       e.stateLocked(usable, stopped),
		Fetching:    e.flight != nil,
		ReplacedAt:  e.history.ReplacedAt,
		LastError:   e.history.LastError,
		FailedAt:    e.history.lastFailure(),
		NextAttempt: next,
		Refusals:    len(e.history.Refusals),
	}
	if t != nil {
		s.Generation, s.Shared = t.generation(), t.shared.Load() != 0
		s.Holder, s.Accepted = t.holder, t.accepted.Load()
		s.Issued, s.Refresh, s.Expires = t.life.issued, t.life.refresh, t.life.expires
	}
	return s
}

func (e *entry) stateLocked(usable, stopped bool) State {
	switch {
	case stopped:
		return StateStopped
	case len(e.history.Refusals) > 0:
		return StateRefused
	case e.history.Failures > 0:
		return StateFailing
	case usable:
		return StateValid
	default:
		return StateNone
	}
}
