package proxy

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// sharing is what one replica owes to and knows from the store.
type sharing struct {
	loaded   bool
	loading  chan struct{} // closed when the load under way ends; nil when there is none
	tried    bool          // one load has ended: no request waits for another
	nextLoad time.Time     // no load before

	writing  bool
	nextSave time.Time           // no update before; set after one that failed
	saved    time.Time           // when the fleet last saw our state
	hosts    map[string]bool     // whose cookies are newer here
	gone     map[string][]cookie // by host: cookies that the upstream refused
	endpoint bool                // ours is newer
}

func (s *sharing) changed(host string) {
	if s.hosts == nil {
		s.hosts = make(map[string]bool)
	}
	s.hosts[host] = true
	delete(s.gone, host)
}

func (s *sharing) removed(host string, cookies []cookie) {
	if s.gone == nil {
		s.gone = make(map[string][]cookie)
	}
	s.gone[host] = slices.Concat(s.gone[host], cookies)
	delete(s.hosts, host)
}

func (s *sharing) dirty() bool { return len(s.hosts) > 0 || len(s.gone) > 0 || s.endpoint }

// sessionChange is what one update of the store tells the fleet.
type sessionChange struct {
	local    SharedSession // all of ours
	hosts    map[string]bool
	gone     map[string][]cookie
	endpoint bool
}

// take returns what is owed, which then counts as paid.
func (n *session) take(now time.Time) sessionChange {
	s := &n.shared
	c := sessionChange{local: n.export(now), hosts: s.hosts, gone: s.gone, endpoint: s.endpoint}
	s.hosts, s.gone, s.endpoint = nil, nil, false
	return c
}

// giveBack owes c again: the update failed.
func (s *sharing) giveBack(c sessionChange) {
	for host, cookies := range c.gone {
		if !s.hosts[host] {
			s.removed(host, cookies)
		}
	}
	for host := range c.hosts {
		if _, gone := s.gone[host]; !gone {
			s.changed(host)
		}
	}
	s.endpoint = s.endpoint || c.endpoint
}

// apply returns what becomes of the fleet's session. The later Set-Cookie wins,
// and the cookies of one host are replaced together: they belong to each other.
// A fleet that knows nothing, because nothing was shared for so long, gets all.
func (c sessionChange) apply(fleet SharedSession) SharedSession {
	if len(fleet.Cookies) == 0 && !fleet.Endpoint.Known {
		return c.local
	}
	var out SharedSession
	for _, k := range fleet.Cookies {
		refused := slices.ContainsFunc(c.gone[k.Host], func(g cookie) bool {
			return g.name == k.Name && g.path == k.Path && g.value.Equal(k.Value)
		})
		if !c.hosts[k.Host] && !refused {
			out.Cookies = append(out.Cookies, k)
		}
	}
	for _, k := range c.local.Cookies {
		if c.hosts[k.Host] {
			out.Cookies = append(out.Cookies, k)
		}
	}
	out.Endpoint = fleet.Endpoint
	if c.endpoint && (!fleet.Endpoint.Known || c.local.Endpoint.Age <= fleet.Endpoint.Age) {
		out.Endpoint = c.local.Endpoint
	}
	return out
}

// export returns what this replica knows.
func (n *session) export(now time.Time) SharedSession {
	var out SharedSession
	for _, h := range n.jar.hosts {
		for _, c := range h.cookies {
			if c.expired(now) {
				continue
			}
			k := SharedCookie{Host: h.host, Name: c.name, Value: c.value, Path: c.path, Secure: c.secure}
			if !c.expires.IsZero() {
				k.Left = c.expires.Sub(now)
			}
			out.Cookies = append(out.Cookies, k)
		}
	}
	if e := n.endpoint; !e.asked.IsZero() {
		out.Endpoint = SharedEndpoint{Known: true, Origin: originText(e.origin), Age: max(0, now.Sub(e.asked))}
	}
	return out
}

// adopt takes over what the fleet knows and this replica does not know better.
// It returns the preferred host, and whether it is another than before.
func (n *session) adopt(fleet SharedSession, now time.Time) (origin *url.URL, changed bool) {
	byHost := make(map[string][]cookie)
	for _, k := range fleet.Cookies {
		if k.Left < 0 || n.shared.hosts[k.Host] || !k.valid() {
			continue
		}
		c := cookie{name: k.Name, value: k.Value, path: k.Path, secure: k.Secure}
		if k.Left > 0 {
			c.expires = now.Add(k.Left)
		}
		byHost[k.Host] = append(byHost[k.Host], c)
	}
	for host, cookies := range byHost {
		n.jar.remove(host, n.jar.of(host))
		n.jar.put(host, cookies, now)
		n.jar.remove(host, n.shared.gone[host])
	}
	e := fleet.Endpoint
	at := now.Add(-e.Age)
	if !e.Known || n.shared.endpoint || !at.After(n.endpoint.asked) {
		return n.endpoint.origin, false
	}
	// Read again: what a store holds is no better than what an upstream said.
	origin, err := preferredOrigin(e.Origin, n.upstream)
	if err != nil {
		return n.endpoint.origin, false
	}
	changed = n.endpoint.learn(origin, at, now)
	return n.endpoint.origin, changed
}

// valid reports whether the cookie can be sent at all: a field that net/http
// refuses would fail every request.
func (k SharedCookie) valid() bool {
	value := k.Value.Reveal()
	return httpguts.ValidHeaderFieldName(k.Name) && httpguts.ValidHeaderFieldValue(value) && !strings.Contains(value, ";")
}
