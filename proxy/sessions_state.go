package proxy

import (
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// session is what is known of one account's session with one service.
type session struct {
	owner    *Sessions
	key      SessionKey
	upstream *url.URL     // as configured
	store    SessionStore // nil = this process only
	used     atomic.Int64 // nanoseconds since the owner began

	mu       sync.Mutex
	jar      jar
	endpoint endpoint
	shared   sharing
	document documents
}

func (n *session) now() time.Time { return n.owner.options.Now() }

func (n *session) hooks() *SessionHooks { return &n.owner.options.Hooks }

func (n *session) touch(now time.Time) { n.used.Store(int64(now.Sub(n.owner.began))) }

func (n *session) idle(now time.Time) time.Duration {
	return now.Sub(n.owner.began) - time.Duration(n.used.Load())
}

// preferred returns the host to use instead of the configured one, nil for none.
func (n *session) preferred() *url.URL {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.endpoint.origin
}

// cookies returns the Cookie field for a request to u, and what it was made
// from, for rejected.
func (n *session) cookies(u *url.URL, requestPath string) (field string, sent []cookie) {
	host := hostKey(u.Scheme, u.Host)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.jar.header(host, requestPath, u.Scheme == "https", n.now()), n.jar.of(host)
}

// learnCookies keeps what an answer of u has set.
func (n *session) learnCookies(u *url.URL, requestPath string, fields []string) {
	if len(fields) == 0 {
		return
	}
	host, now := hostKey(u.Scheme, u.Host), n.now()
	n.mu.Lock()
	changed := n.jar.learn(host, requestPath, u.Scheme == "https", fields, now)
	n.jar.put(host, changed, now)
	if len(changed) > 0 {
		n.shared.changed(host)
	}
	n.mu.Unlock()
	if len(changed) == 0 {
		return
	}
	n.save()
	opened := slices.ContainsFunc(changed, func(c cookie) bool { return !c.expired(now) })
	if opened && n.hooks().Opened != nil {
		n.hooks().Opened(n.key, host)
	}
}

// rejected drops the cookies that went with a request which u answered 401:
// they stand for a login that has ended. Those that came since are another's.
func (n *session) rejected(u *url.URL, sent []cookie) {
	if len(sent) == 0 {
		return
	}
	host := hostKey(u.Scheme, u.Host)
	n.mu.Lock()
	before := len(n.jar.of(host))
	n.jar.remove(host, sent)
	dropped := len(n.jar.of(host)) < before
	if dropped {
		n.shared.removed(host, sent)
	}
	n.mu.Unlock()
	if !dropped {
		return
	}
	n.save()
	if n.hooks().Ended != nil {
		n.hooks().Ended(n.key, DropRejected)
	}
}

// learnEndpoint takes the PreferredEndpoint of the document that was asked for
// at the time at.
func (n *session) learnEndpoint(answer sessionAnswer, at time.Time) {
	origin, err := preferredOrigin(answer.preferred, n.upstream)
	if answer.refused != nil {
		origin, err = nil, answer.refused
	}
	n.mu.Lock()
	changed := n.endpoint.learn(origin, at, n.now())
	now := n.endpoint.origin
	n.shared.endpoint = true
	n.mu.Unlock()
	n.save()
	if err != nil && n.hooks().Refused != nil {
		n.hooks().Refused(n.key, err)
	}
	if changed && n.hooks().Learned != nil {
		n.hooks().Learned(n.key, originText(now))
	}
}

// dropEndpoint gives up a preferred host that failed; a path in origin does
// not matter.
func (n *session) dropEndpoint(origin *url.URL, reason SessionDrop) {
	origin = &url.URL{Scheme: origin.Scheme, Host: origin.Host}
	n.mu.Lock()
	dropped := n.endpoint.drop(origin, n.now())
	n.shared.endpoint = n.shared.endpoint || dropped
	n.mu.Unlock()
	if !dropped {
		return
	}
	n.save()
	if n.hooks().Dropped != nil {
		n.hooks().Dropped(n.key, origin.String(), reason)
	}
}
