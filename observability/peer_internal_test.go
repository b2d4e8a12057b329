package observability

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestPeerOf(t *testing.T) {
	ours := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tt := range map[string]struct {
		remote    string
		forwarded []string
		trusted   []netip.Prefix
		want      string
	}{
		"nobody is trusted":         {"10.0.0.1:5", []string{"192.0.2.1"}, nil, "10.0.0.1:5"},
		"not a proxy of ours":       {"192.0.2.9:5", []string{"192.0.2.1"}, ours, "192.0.2.9:5"},
		"a proxy of ours":           {"10.0.0.1:5", []string{"192.0.2.1"}, ours, "192.0.2.1"},
		"over IPv6":                 {"[fd00::1]:5", []string{"2001:db8::1"}, ours, "2001:db8::1"},
		"mapped":                    {"[::ffff:10.0.0.1]:5", []string{"::ffff:192.0.2.1"}, ours, "192.0.2.1"},
		"mapped, and not ours":      {"[::ffff:192.0.2.9]:5", []string{"10.0.0.1"}, ours, "[::ffff:192.0.2.9]:5"},
		"two proxies of ours":       {"10.0.0.1:5", []string{"192.0.2.1, 10.0.0.2"}, ours, "192.0.2.1"},
		"on two lines":              {"10.0.0.1:5", []string{"192.0.2.1", "10.0.0.2"}, ours, "192.0.2.1"},
		"what the caller says":      {"10.0.0.1:5", []string{"10.9.9.9, 192.0.2.66, 192.0.2.1"}, ours, "192.0.2.1"},
		"a caller inside":           {"10.0.0.1:5", []string{"10.0.0.7, 10.0.0.2"}, ours, "10.0.0.7"},
		"with a port":               {"10.0.0.1:5", []string{"192.0.2.1:4711"}, ours, "192.0.2.1"},
		"IPv6 with a port":          {"10.0.0.1:5", []string{"[2001:db8::1]:4711"}, ours, "2001:db8::1"},
		"IPv6 in brackets":          {"10.0.0.1:5", []string{"[2001:db8::1]"}, ours, "2001:db8::1"},
		"with a zone":               {"10.0.0.1:5", []string{"fe80::1%eth0"}, ours, "fe80::1"},
		"no field":                  {"10.0.0.1:5", nil, ours, "10.0.0.1:5"},
		"an empty field":            {"10.0.0.1:5", []string{""}, ours, "10.0.0.1:5"},
		"no address":                {"10.0.0.1:5", []string{"192.0.2.1, unknown"}, ours, "10.0.0.1:5"},
		"no address behind a proxy": {"10.0.0.1:5", []string{"unknown, 10.0.0.2"}, ours, "10.0.0.2"},
		"no TCP":                    {"@", []string{"192.0.2.1"}, ours, "@"},
	} {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{}}
		if tt.forwarded != nil {
			r.Header["X-Forwarded-For"] = tt.forwarded
		}
		if got := peerOf(r, tt.trusted); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Whatever a caller writes, the log gets an address, and one of ours only where
// it is behind one of ours.
func FuzzPeerOf(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "10.0.0.1, [::1]:2", "a\nb", ",,", "::ffff:10.0.0.1%x", strings.Repeat("1,", 99)} {
		f.Add(seed, "10.0.0.1:1")
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded, remote string) {
		got := peerOf(&http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}}}, trusted)
		if ip, err := netip.ParseAddr(got); got != remote && (err != nil || ip.Zone() != "" || ip.Is4In6()) {
			t.Errorf("%q", got)
		}
	})
}
