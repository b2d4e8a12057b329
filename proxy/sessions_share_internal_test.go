package proxy

import (
	"strings"
	"testing"
	"time"

	"iqgateway/internal/secret"
)

// describe writes a shared session down, one word per fact.
func (s SharedSession) describe() string {
	var words []string
	for _, c := range s.Cookies {
		words = append(words, c.Host+"/"+c.Name+"="+c.Value.Reveal())
	}
	if e := s.Endpoint; e.Known {
		words = append(words, "prefers "+e.Origin+" "+e.Age.String())
	}
	return strings.Join(words, ", ")
}

func TestSessionChange(t *testing.T) {
	const asked = time.Minute
	local := SharedSession{
		Cookies:  []SharedCookie{sharedCookie("a", "s", "new"), sharedCookie("b", "t", "new")},
		Endpoint: SharedEndpoint{Known: true, Origin: "https://x", Age: asked},
	}
	fleet := SharedSession{
		Cookies:  []SharedCookie{sharedCookie("a", "s", "old"), sharedCookie("a", "u", "old"), sharedCookie("c", "v", "old")},
		Endpoint: SharedEndpoint{Known: true, Origin: "https://y", Age: 2 * asked},
	}
	younger := fleet
	younger.Endpoint.Age = 0
	old := []cookie{{name: "s", value: secret.New("old"), path: "/"}}
	tests := map[string]struct {
		change sessionChange
		fleet  SharedSession
		want   string
	}{
		"nothing owed":            {sessionChange{local: local}, fleet, "a/s=old, a/u=old, c/v=old, prefers https://y 2m0s"},
		"the fleet knows nothing": {sessionChange{local: local}, SharedSession{}, "a/s=new, b/t=new, prefers https://x 1m0s"},
		"cookies of one host":     {sessionChange{local: local, hosts: map[string]bool{"a": true}}, fleet, "c/v=old, a/s=new, prefers https://y 2m0s"},
		"all deleted at a host":   {sessionChange{local: local, hosts: map[string]bool{"c": true}}, fleet, "a/s=old, a/u=old, prefers https://y 2m0s"},
		"refused":                 {sessionChange{local: local, gone: map[string][]cookie{"a": old}}, fleet, "a/u=old, c/v=old, prefers https://y 2m0s"},
		"refused elsewhere":       {sessionChange{local: local, gone: map[string][]cookie{"c": old}}, fleet, "a/s=old, a/u=old, c/v=old, prefers https://y 2m0s"},
		"our endpoint is younger": {sessionChange{local: local, endpoint: true}, fleet, "a/s=old, a/u=old, c/v=old, prefers https://x 1m0s"},
		"theirs is younger":       {sessionChange{local: local, endpoint: true}, younger, "a/s=old, a/u=old, c/v=old, prefers https://y 0s"},
	}
	for name, tt := range tests {
		before := tt.fleet.describe()
		if got := tt.change.apply(tt.fleet).describe(); got != tt.want {
			t.Errorf("%s: %s\nwant %s", name, got, tt.want)
		}
		if tt.fleet.describe() != before {
			t.Errorf("%s: the argument was changed", name)
		}
	}
}

func TestAdopt(t *testing.T) {
	const host = "dataconnect.iqmetrix.net"
	ours := func(*session) {}
	own := func(n *session) {
		n.jar.put(host, []cookie{{name: "s", value: secret.New("own"), path: "/"}}, cookieNow)
	}
	tests := map[string]struct {
		before func(*session)
		fleet  SharedSession
		want   string
	}{
		"nothing": {ours, SharedSession{}, ""},
		"all": {
			ours,
			SharedSession{[]SharedCookie{sharedCookie(host, "s", "1")}, SharedEndpoint{Known: true, Origin: "https://x.iqmetrix.net", Age: time.Minute}},
			host + "/s=1, prefers https://x.iqmetrix.net 1m0s",
		},
		"theirs replaces what we have told": {own, SharedSession{Cookies: []SharedCookie{sharedCookie(host, "t", "1")}}, host + "/t=1"},
		"ours, which they do not know yet": {
			func(n *session) { own(n); n.shared.changed(host) },
			SharedSession{Cookies: []SharedCookie{sharedCookie(host, "s", "1")}},
			host + "/s=own",
		},
		"what was refused here": {
			func(n *session) {
				n.shared.removed(host, []cookie{{name: "s", value: secret.New("1"), path: "/"}})
			},
			SharedSession{Cookies: []SharedCookie{sharedCookie(host, "s", "1"), sharedCookie(host, "t", "1")}},
			host + "/t=1",
		},
		"what no field can hold": {ours, SharedSession{Cookies: []SharedCookie{
			sharedCookie(host, "s", "a\r\nX: y"), sharedCookie(host, "", "1"), sharedCookie(host, "a b", "1"), sharedCookie(host, "s", "1;t=2"),
		}}, ""},
		"expired": {ours, SharedSession{Cookies: []SharedCookie{{Host: host, Name: "s", Value: secret.New("1"), Left: -1}}}, ""},
		"a host outside": {
			ours, SharedSession{Endpoint: SharedEndpoint{Known: true, Origin: "https://evil.test", Age: time.Minute}}, "",
		},
		"an older word": {
			func(n *session) { n.endpoint.learn(nil, cookieNow, cookieNow) },
			SharedSession{Endpoint: SharedEndpoint{Known: true, Origin: "https://x.iqmetrix.net", Age: time.Minute}},
			"prefers  0s",
		},
	}
	for name, tt := range tests {
		n := &session{owner: NewSessions(SessionsOptions{}), upstream: testUpstream}
		tt.before(n)
		n.adopt(tt.fleet, cookieNow)
		if got := n.export(cookieNow).describe(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestCookieLifetimesAreShared(t *testing.T) {
	var a, b session
	a.upstream, b.upstream = testUpstream, testUpstream
	a.jar.put("h", []cookie{
		{name: "s", value: secret.New("1"), path: "/", secure: true, expires: cookieNow.Add(time.Hour)},
		{name: "t", value: secret.New("2"), path: "/x"},
	}, cookieNow)
	later := cookieNow.Add(24 * time.Hour) // the other replica's clock is a day ahead
	b.adopt(a.export(cookieNow.Add(time.Minute)), later)
	got := b.jar.of("h")
	if len(got) != 2 || !got[0].secure || !got[0].expires.Equal(later.Add(59*time.Minute)) || !got[1].expires.IsZero() || got[1].path != "/x" {
		t.Errorf("%+v", got)
	}
}

// What a failed update owed is owed again, but for what was overtaken.
func TestGiveBack(t *testing.T) {
	gone := []cookie{{name: "s"}}
	var s sharing
	s.changed("new here")
	s.removed("gone here", gone)
	s.giveBack(sessionChange{
		hosts:    map[string]bool{"changed": true, "gone here": true},
		gone:     map[string][]cookie{"refused": gone, "new here": gone},
		endpoint: true,
	})
	if !s.endpoint || !s.hosts["changed"] || !s.hosts["new here"] || s.hosts["gone here"] || len(s.hosts) != 2 {
		t.Errorf("owes %v", s.hosts)
	}
	if len(s.gone["refused"]) != 1 || len(s.gone["gone here"]) != 1 || s.gone["new here"] != nil {
		t.Errorf("owes the end of %v", s.gone)
	}
}
