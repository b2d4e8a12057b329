package auth

import (
	"cmp"
	"slices"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// Caller is an internal application: how it is recognised and what it may do.
type Caller struct {
	Name         string
	Environment  string // meant when a request names none; "" = it must name one unless only one is possible
	Keys         []Key
	Certificates []CertificateName
	Subjects     []Subject
	Access       []Access
	Class        string   // of its requests; "" = interactive
	Classes      []string // that it may ask for, beside its own
	Blocked      bool     // it is known, and everything that it asks for is refused
}

// Key is a key that the caller may present, known by its digest only.
type Key struct {
	ID      string // for logs
	Digest  Digest
	Expires time.Time // the first instant at which it is worth nothing; zero = never
}

// CertificateName is a name in a client certificate that the caller may present:
// exactly one of the two is set.
type CertificateName struct {
	URI string // among the subject alternative names, byte for byte
	DNS string // among the subject alternative names, without case
}

// Subject is the sub claim of a JWT that the caller may present.
type Subject struct{ Issuer, Subject string }

// Access is what a caller may do with one credential.
type Access struct {
	Credential  string
	Environment string           // of the credential
	Services    map[string]Grant // by service name (no alias); "*" = every service that is not sensitive
	Default     bool             // decides between several credentials for one request
	Until       time.Time        // the first instant at which it is worth nothing; zero = never
}

// Level is a common kind of [Grant].
type Level string

// The levels.
const (
	LevelRead  Level = "read"  // GET, HEAD, OPTIONS and POSTs that read, unless they have side effects
	LevelWrite Level = "write" // every method
)

// Grant is what a caller may do with one service.
type Grant struct {
	// Level, when set, decides about methods.
	Level Level

	// Methods that are allowed; GET includes HEAD; none = as LevelRead. A
	// request that reads by its method but has side effects (GET with
	// Response=Excel.Email) needs a list with a writing method in it.
	Methods []string

	// Paths that are allowed, matched on the raw path below the service;
	// none = all.
	Paths []pathpattern.Pattern
}

// What proves a caller, as in [exchange.Caller].
const (
	ProofKey         = "key"
	ProofCertificate = "certificate"
	ProofJWT         = "jwt"
	ProofToken       = "token" // made by this gateway's token endpoint
)

// identity is what the other stages see of c when it used the credential of that
// id; it is made once and shared by all requests.
func (c Caller) identity(proof, keyID string) *exchange.Caller {
	var environments []string
	for _, a := range c.Access {
		environments = append(environments, a.Environment)
	}
	slices.Sort(environments)
	return &exchange.Caller{
		Name:         c.Name,
		Proof:        proof,
		KeyID:        keyID,
		Environments: slices.Compact(environments),
		Environment:  c.Environment,
		Class:        cmp.Or(c.Class, "interactive"),
		Blocked:      c.Blocked,
	}
}
