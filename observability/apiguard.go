package observability

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"

	"iqgateway/internal/secret"
)

// maxAPIBody bounds the body of a change, in bytes.
const maxAPIBody = 64 << 10

const maxDecodings = 4

// apiGuard decides who may read and change through the API. It stands before
// any routing: what it does not let through is not routed at all.
type apiGuard struct {
	api    http.Handler // nil = there is no API
	tokens *atomic.Pointer[adminTokens]
	// profiles serves what is below pathProfiles; nil = nothing is there.
	profiles http.HandlerFunc
}

// adminTokens are what allows to change, and what to read; nil = not configured.
type adminTokens struct{ full, read *credential }

// credential is kept and compared as a digest, so that the time a comparison
// takes tells nothing, not even a length.
type credential [sha256.Size]byte

func newCredential(t secret.Text) *credential {
	if t.IsZero() {
		return nil
	}
	c := credential(sha256.Sum256([]byte(t.Reveal())))
	return &c
}

func (c *credential) matches(presented credential) bool {
	return c != nil && subtle.ConstantTimeCompare(c[:], presented[:]) == 1
}

// wrap serves what is under /api and leaves the rest to next.
func (g apiGuard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		profile := g.profiles != nil && isProfile(r.URL)
		switch {
		case !profile && !underAPI(r.URL):
			next.ServeHTTP(w, r)
		case !g.authorized(w, r) || !acceptable(w, r):
		case profile:
			g.profiles(w, r)
		case g.api == nil || !canonical(r.URL):
			WriteProblem(w, http.StatusNotFound, "no such path in the admin API; paths are taken as they are written, without escapes, empty or dot segments")
		default:
			g.api.ServeHTTP(w, r)
		}
	})
}

// authorized answers the request itself when it is not. Reading needs either
// token as soon as one is configured. Changing always needs the full one, since
// a page in a browser can reach a loopback port and cannot guess a token, or
// where there is none, a certificate of the authority that the listener trusts.
// Profiles may hold secrets, so they count as changes.
func (g apiGuard) authorized(w http.ResponseWriter, r *http.Request) bool {
	change := isProfile(r.URL) || r.Method != http.MethodGet && r.Method != http.MethodHead
	tokens := g.tokens.Load()
	switch {
	case tokens.full == nil && verified(r):
		adminCallFrom(r.Context()).proof = "certificate"
		return true
	case change && tokens.full == nil:
		WriteProblem(w, http.StatusForbidden, "changes and profiles need a token and none is configured: set admin.token, then send Authorization: Bearer TOKEN")
		return false
	case tokens.full == nil && tokens.read == nil:
		return true
	}
	presented, ok := bearer(r.Header)
	full, reader := ok && tokens.full.matches(presented), ok && tokens.read.matches(presented)
	switch {
	case !full && !reader:
		w.Header().Set("WWW-Authenticate", "Bearer")
		WriteProblem(w, http.StatusUnauthorized, "send Authorization: Bearer TOKEN with the value of admin.token, or to read only, of admin.read_token")
		return false
	case change && !full:
		adminCallFrom(r.Context()).proof = "read_token"
		WriteProblem(w, http.StatusForbidden, "admin.read_token may only read; changes and profiles need admin.token")
		return false
	}
	adminCallFrom(r.Context()).proof, adminCallFrom(r.Context()).full = "token", full
	return true
}

// bearer returns the digest of the one token that the request carries
// (RFC 6750, section 2.1); tokens in queries and bodies do not count.
func bearer(h http.Header) (credential, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return credential{}, false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	return sha256.Sum256([]byte(token)), strings.EqualFold(scheme, "Bearer") && token != ""
}

// acceptable answers a request itself whose body is none of ours. Forms and
// plain text are what a web page may send anywhere without asking (CORS).
func acceptable(w http.ResponseWriter, r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return true
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		w.Header().Set("Accept", "application/json")
		WriteProblem(w, http.StatusUnsupportedMediaType, "send JSON, with Content-Type: application/json")
		return false
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxAPIBody)); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			WriteProblem(w, http.StatusRequestEntityTooLarge, "a body may have at most 64 KiB")
		} else {
			WriteProblem(w, http.StatusBadRequest, "the body ended early")
		}
		return false
	}
	r.Body = io.NopCloser(&body)
	return true
}

// underAPI reports whether a path is under /api in any reading that any router
// behind could have of it: as written or decoded, once or more, with empty and
// dot segments resolved or not, whatever its slashes and case. What is escaped
// more often than maxDecodings counts as under it: the work stays bounded.
func underAPI(u *url.URL) bool {
	text := u.EscapedPath()
	for range maxDecodings {
		folded := strings.ToLower(strings.ReplaceAll(text, `\`, "/"))
		if isAPI(folded) || isAPI(path.Clean("/"+folded)) || isAPI("/"+strings.TrimLeft(folded, "/")) {
			return true
		}
		decoded, err := url.PathUnescape(text)
		if err != nil || decoded == text {
			return false
		}
		text = decoded
	}
	return true
}

func isAPI(p string) bool { return p == "/api" || strings.HasPrefix(p, "/api/") }

// isProfile reports whether exactly this spelling of a path is one of profiles;
// nothing behind knows any other.
func isProfile(u *url.URL) bool { return strings.HasPrefix(u.EscapedPath(), pathProfiles) }

// canonical reports whether a path can be read in one way only.
func canonical(u *url.URL) bool {
	return isAPI(u.Path) && u.RawPath == "" && u.EscapedPath() == u.Path && path.Clean(u.Path) == u.Path
}
