package tokencache

import (
	"context"
	"errors"
	"time"

	"iqgateway/internal/secret"
)

// Store shares the state of credentials between replicas. It is a help, never
// a condition: every error of it means "unknown", and the cache goes on with
// what this process knows. Calls are short and obey their context.
//
// Times in and out are those of this process's clock. A store that several
// machines use converts them, so that no two clocks are ever compared.
type Store interface {
	// Load returns what the fleet knows about a credential, the zero Shared
	// when nothing is known.
	Load(ctx context.Context, key StoreKey) (Shared, error)

	// Claim asks for the exclusive right to call the token endpoint. The Claim
	// is nil while another replica has that right. The state is that of the
	// moment of the claim: whoever gets one must look first whether the work
	// still needs to be done. A Claim is kept alive until it is released, and
	// lost when this process cannot keep it alive.
	Claim(ctx context.Context, key StoreKey) (Claim, Shared, error)

	// Accepted notes that an upstream took the token of that generation.
	Accepted(ctx context.Context, key StoreKey, generation uint64) error

	// Forget drops the token, the history of failures, or both, for all
	// replicas that load the state from now on.
	Forget(ctx context.Context, key StoreKey, what Forgotten) error
}

// Claim is the exclusive right to fetch a token, fenced: once another replica
// has claimed, nothing that this one writes has an effect.
type Claim interface {
	// Grant shares a granted token and what is to be remembered with it, and
	// returns its generation, which is higher than all before. (A store that
	// has lost its state may count anew: then the later Issued tells.) The
	// error is ErrClaimLost when another replica has claimed since. It may be
	// repeated after any other error.
	Grant(ctx context.Context, token SharedToken, history History) (generation uint64, err error)

	// Fail shares what is to be remembered of an attempt that brought no
	// token. Errors as of Grant.
	Fail(ctx context.Context, history History) error

	// Release gives the right back. More calls do nothing.
	Release()
}

// ErrClaimLost means that another replica has claimed the credential since.
var ErrClaimLost = errors.New("another replica has claimed the credential")

// StoreKey names the state of one credential with one set of settings. A store
// shows none of it in names or values.
type StoreKey struct {
	Environment string
	Credential  string
	Fingerprint [32]byte // of the settings, secrets included
}

// Forgotten is what [Store.Forget] drops.
type Forgotten uint8

// What can be forgotten; values may be or'ed.
const (
	ForgetToken Forgotten = 1 << iota
	ForgetHistory
)

// Shared is what a fleet knows of one credential.
type Shared struct {
	Generation uint64      // of Token; 0 = there is none, Token is zero
	Token      SharedToken // useless once it has expired
	Accepted   bool        // an upstream has taken Token
	History    History

	// Forgiven is when [Store.Forget] last dropped the history, zero when it
	// never did or that is no longer known. Replicas drop what they remember
	// of before that moment, which the mere lack of a history in a store that
	// has just lost its state must not make them do.
	Forgiven time.Time
}

// SharedToken is a token as replicas share it.
type SharedToken struct {
	Field   secret.Text // the whole Authorization field
	Refresh secret.Text // of GrantRefreshToken only
	Issued  time.Time   // when it was asked for
	Expires time.Time
	Holder  string // the replica that fetched it
}

// History is what replicas remember of attempts, as far as the next attempt
// depends on it.
type History struct {
	Failures   int           // in a row, without an answer about the credential
	FailedAt   time.Time     // of the last one
	AskedFor   time.Duration // the endpoint's own Retry-After of that one, 0 = none
	Refusals   []Refusal     // of the credential, since the last success or change of its secrets
	ReplacedAt time.Time     // when a 401 last led to a new token
	LastError  string        // safe to show; "" after a success
}

// Refusal is one refused attempt. The ID lets lists of several replicas be
// united.
type Refusal struct {
	ID string
	At time.Time
}
