package proxy

import (
	"strings"
	"testing"
)

func TestCanonicalHost(t *testing.T) {
	tests := []struct{ host, want string }{
		{"gw.test", "gw.test"},
		{"GW.Test", "gw.test"},
		{"gw.test.", "gw.test"},
		{"gw.test:443", "gw.test"},
		{"gw.test.:8443", "gw.test"},
		{"gw.test:", "gw.test"}, // RFC 3986 section 3.2.3: an empty port is the default one
		{"gw_1.svc.cluster.local", "gw_1.svc.cluster.local"},
		{"127.0.0.1:8443", "127.0.0.1"},
		{"[::1]:8443", "::1"},
		{"[0:0::1]", "::1"},
		{"[::ffff:127.0.0.1]", "127.0.0.1"},
		{"", ""},
		{".", ""},
		{":443", ""},
		{"gw.test:0", ""},
		{"gw.test:65536", ""},
		{"gw.test:+1", ""},
		{"gw.test:1:2", ""},
		{"gw.test,evil.test", ""},
		{"user@gw.test", ""},
		{"gw.test/x", ""},
		{"gw test", ""},
		{"gw\ttest", ""},
		{"gw%2etest", ""},
		{"gw..test", ""},
		{".gw.test", ""},
		{"gwé.test", ""},
		{"[::1%25lo]", ""},
		{"[::1%lo]", ""},
		{"[127.0.0.1]", ""},
		{"[::1]x", ""},
		{"[::1", ""},
		{"::1", ""},
	}
	for _, tt := range tests {
		got, err := canonicalHost(tt.host)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v; want %q", tt.host, got, err, tt.want)
		}
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, seed := range []string{"gw.test:443", "[::1]:1", "a,b", "A.", "[::ffff:1.2.3.4]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got, err := canonicalHost(host)
		if err != nil {
			return
		}
		if strings.ContainsAny(got, "/@,%[]?# \t\r\n") || got != strings.ToLower(got) || strings.HasSuffix(got, ".") {
			t.Errorf("%q became %q", host, got)
		}
		if again, err := canonicalHost(bracketed(got)); err != nil || again != got {
			t.Errorf("%q became %q, that %q, %v", host, got, again, err)
		}
	})
}

func bracketed(name string) string {
	if strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}

func FuzzSplitTarget(f *testing.F) {
	for _, seed := range []string{"/a?b", "http://h/a?b?c", "http://h?a", "*", "a://b", "/a://b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got := splitTarget(target)
		origin, query := "", ""
		if got.scheme != "" {
			origin = got.scheme + "://" + got.authority
		}
		if got.hasQuery {
			query = "?" + got.query
		}
		// An absolute target without a path means the root.
		if origin+got.path+query != target && (got.path != "/" || origin == "" || origin+query != target) {
			t.Errorf("%q became %q", target, origin+got.path+query)
		}
	})
}
