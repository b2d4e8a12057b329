package proxy

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxCookieHosts bounds the hosts of one session: the configured one, the
// preferred one, and what they were before.
const maxCookieHosts = 4

// jar holds the cookies of one session, by host. It is a plain value; its owner
// locks it.
type jar struct {
	hosts []hostCookies // least recently changed first
}

// hostCookies are those of one host, in the order in which they came.
type hostCookies struct {
	host    string // see hostKey
	cookies []cookie
}

func (j *jar) of(host string) []cookie {
	for _, h := range j.hosts {
		if h.host == host {
			return h.cookies
		}
	}
	return nil
}

// header returns the Cookie field for a request, "" for none.
func (j *jar) header(host, requestPath string, https bool, now time.Time) string {
	var fits []cookie
	for _, c := range j.of(host) {
		if !c.expired(now) && (https || !c.secure) && pathMatches(c.path, requestPath) {
			fits = append(fits, c)
		}
	}
	// Longer paths first, then older ones (RFC 6265 section 5.4).
	slices.SortStableFunc(fits, func(a, b cookie) int { return cmp.Compare(len(b.path), len(a.path)) })
	var field strings.Builder
	for _, c := range fits {
		if field.Len() > 0 {
			field.WriteString("; ")
		}
		field.WriteString(c.name)
		field.WriteByte('=')
		field.WriteString(c.value.Reveal())
	}
	return field.String()
}

// learn returns the cookies that an answer of host changes. It does not change
// the jar.
func (j *jar) learn(host, requestPath string, https bool, fields []string, now time.Time) []cookie {
	known := j.of(host)
	var changed []cookie
	for _, line := range fields[:min(len(fields), maxSetCookies)] {
		c, ok := parseCookie(line, requestPath, https, now)
		if !ok {
			continue
		}
		changed = slices.DeleteFunc(changed, c.same) // the later field wins
		i := slices.IndexFunc(known, c.same)
		if i >= 0 && known[i].equal(c) || i < 0 && c.expired(now) {
			continue
		}
		changed = append(changed, c)
	}
	return changed
}

// put sets cookies of host; an expired one deletes. The oldest make room.
func (j *jar) put(host string, changed []cookie, now time.Time) {
	if len(changed) == 0 {
		return
	}
	kept := slices.Clone(j.of(host)) // the old slice may be in use outside of the lock
	for _, c := range changed {
		kept = slices.DeleteFunc(kept, c.same)
		kept = append(kept, c)
	}
	kept = slices.DeleteFunc(kept, func(c cookie) bool { return c.expired(now) })
	size := 0
	for _, c := range kept {
		size += c.size()
	}
	for len(kept) > maxCookies || size > maxCookieHeader {
		size -= kept[0].size()
		kept = kept[1:]
	}
	j.hosts = slices.DeleteFunc(j.hosts, func(h hostCookies) bool { return h.host == host })
	if len(kept) > 0 {
		j.hosts = append(j.hosts, hostCookies{host, kept})
	}
	if len(j.hosts) > maxCookieHosts {
		j.hosts = slices.Delete(j.hosts, 0, 1)
	}
}

// remove deletes the cookies of host that still have the values of gone.
func (j *jar) remove(host string, gone []cookie) {
	kept := slices.DeleteFunc(slices.Clone(j.of(host)), func(c cookie) bool {
		return slices.ContainsFunc(gone, func(g cookie) bool { return g.same(c) && g.value.Equal(c.value) })
	})
	j.hosts = slices.DeleteFunc(j.hosts, func(h hostCookies) bool { return h.host == host })
	if len(kept) > 0 {
		j.hosts = append(j.hosts, hostCookies{host, kept})
	}
}

// takeSetCookie removes the Set-Cookie fields from an answer: the upstream's
// session ends at the gateway.
func takeSetCookie(h http.Header) []string {
	fields := h["Set-Cookie"]
	delete(h, "Set-Cookie")
	delete(h, "Set-Cookie2")
	return fields
}
