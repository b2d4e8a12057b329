package clients_test

import (
	"strings"
	"testing"
)

// environ tells programs where everything is.
func (s *subject) environ() []string {
	return []string{
		"GATEWAY=" + s.gateway.Server, "CA=" + s.file("ca.crt"), "KEY=" + s.key, "PROXY=" + s.proxy,
		"ACCOUNTS=" + accounts, "CRM=" + crm, "CUSTOMERS=" + customers,
	}
}

func wantSteps(t *testing.T, out string, steps ...string) {
	t.Helper()
	if got := strings.Fields(out); strings.Join(got, " ") != strings.Join(steps, " ") {
		t.Errorf("printed %q, want %q", got, steps)
	}
}

// Node and Python with what they bring along: by native host with a token call
// and a refresh of their own, and through a proxy.
func TestNode(t *testing.T) {
	s := newSubject(t)
	wantSteps(t, s.run(t, s.environ(), "node", "testdata/client.js"), "token", "200", "refresh", "200", "proxy", "200", "challenge", "407", "proxied-token", "200")
}

func TestPython(t *testing.T) {
	s := newSubject(t)
	wantSteps(t, s.run(t, s.environ(), "python3", "testdata/client.py"), "token", "200", "refresh", "200", "proxy", "200", "challenge", "407", "proxied-token", "200")
}

func TestCurl(t *testing.T) {
	s := newSubject(t)
	const status = "%{http_code}"
	quiet := []string{"-sS", "-o", "/dev/null", "-w", status}
	url, userinfo := "http://"+crm+customers, "till:"+s.key
	for name, tt := range map[string]struct {
		environ, arguments []string
	}{
		"-x":               {nil, []string{"-x", "http://" + userinfo + "@" + s.proxy, url}},
		"http_proxy":       {[]string{"http_proxy=http://" + userinfo + "@" + s.proxy}, []string{url}},
		"--proxy-anyauth":  {nil, []string{"-x", "http://" + s.proxy, "--proxy-anyauth", "--proxy-user", userinfo, url}},
		"a write, anyauth": {nil, []string{"-x", "http://" + s.proxy, "--proxy-anyauth", "--proxy-user", userinfo, "-d", "grant_type=password&client_id=till&client_secret=" + s.key, "http://" + accounts + "/v1/oauth2/token"}},
		"a key header":     {nil, []string{"-x", "http://" + s.proxy, "-H", "X-Api-Key: " + s.key, url}},
		"the native host": {nil, []string{
			"--cacert", s.file("ca.crt"), "--resolve", crm + ":" + s.port() + ":127.0.0.1", "-H", "X-Api-Key: " + s.key, "https://" + crm + ":" + s.port() + customers,
		}},
		"its own token call": {nil, []string{
			"--cacert", s.file("ca.crt"), "--resolve", accounts + ":" + s.port() + ":127.0.0.1",
			"-d", "grant_type=password&username=u&password=p&client_id=till&client_secret=" + s.key, "https://" + accounts + ":" + s.port() + "/v1/oauth2/token",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.run(t, tt.environ, "curl", append(quiet, tt.arguments...)...); got != "200" {
				t.Errorf("answered %s", got)
			}
		})
	}
	if got := s.run(t, nil, "curl", append(quiet, "-x", "http://till:wrong@"+s.proxy, url)...); got != "407" {
		t.Errorf("with a wrong key: %s", got)
	}
}
