package config

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseText(t *testing.T) {
	none := rule{none: "limit"}
	tests := []struct {
		typ  reflect.Type
		rule rule
		text string
		want any
	}{
		{reflect.TypeFor[Duration](), rule{}, "1h30m", 90 * time.Minute},
		{reflect.TypeFor[Duration](), none, "none", time.Duration(0)},
		{reflect.TypeFor[Duration](), rule{min: "0s", max: "1m"}, "0s", time.Duration(0)},
		{reflect.TypeFor[Size](), rule{}, "64MiB", Size(64 << 20)},
		{reflect.TypeFor[Size](), rule{}, "1B", Size(1)},
		{reflect.TypeFor[Size](), none, "none", Size(0)},
		{reflect.TypeFor[AutoSize](), rule{}, "64MiB", AutoSize(64 << 20)},
		{reflect.TypeFor[AutoSize](), rule{}, "auto", Auto},
		{reflect.TypeFor[AutoSize](), none, "none", AutoSize(0)},
		{reflect.TypeFor[Ratio](), rule{}, "10%", Ratio(0.1)},
		{reflect.TypeFor[Ratio](), rule{}, "0.5", Ratio(0.5)},
		{reflect.TypeFor[Ratio](), rule{}, "100%", Ratio(1)},
		{reflect.TypeFor[Rate](), rule{}, "1000/60s", Rate{1000, time.Minute}},
		{reflect.TypeFor[Rate](), rule{}, "100/s", Rate{100, time.Second}},
		{reflect.TypeFor[Rate](), none, "none", Rate{}},
		{reflect.TypeFor[Amount](), rule{}, "12.5%", Amount{Percent: 12.5}},
		{reflect.TypeFor[Amount](), rule{}, "40", Amount{Tokens: 40}},
		{reflect.TypeFor[Date](), rule{}, "2027-12-31T18:00:00+02:00", time.Date(2027, 12, 31, 16, 0, 0, 0, time.UTC)},
		{reflect.TypeFor[Date](), none, "none", time.Time{}},
		{reflect.TypeFor[HostPort](), rule{}, "[::1]:0", HostPort("[::1]:0")},
		{reflect.TypeFor[HostPort](), rule{}, ":8443", HostPort(":8443")},
		{reflect.TypeFor[HostPort](), rule{}, "[::]:8443", HostPort("[::]:8443")},
		{reflect.TypeFor[HostPort](), rule{}, "[fd00::]:8443", HostPort("[fd00::]:8443")},
		{reflect.TypeFor[HostPort](), rule{empty: true}, "", HostPort("")},
		{reflect.TypeFor[Prefix](), rule{}, "10.1.2.3", netip.MustParsePrefix("10.1.2.3/32")},
		{reflect.TypeFor[Prefix](), rule{}, "fd00::/8", netip.MustParsePrefix("fd00::/8")},
		{reflect.TypeFor[bool](), rule{}, "true", true},
		{reflect.TypeFor[string](), rule{}, "yes", "yes"},
		{reflect.TypeFor[string](), rule{}, "0777", "0777"},
		{reflect.TypeFor[URL](), rule{}, "", URL(nil)},
		{reflect.TypeFor[HeaderName](), rule{}, "SOAPAction", HeaderName("SOAPAction")},
	}
	for _, tt := range tests {
		got, err := parseText(tt.typ, tt.text, tt.rule)
		if err != nil {
			t.Errorf("%s %q: %v", tt.typ, tt.text, err)
			continue
		}
		sameTime := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
		if diff := cmp.Diff(tt.want, got, sameTime, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s %q (-want +got)\n%s", tt.typ, tt.text, diff)
		}
	}
}

// Texts near to good ones that must not slip through.
func TestParseTextRefuses(t *testing.T) {
	tests := []struct {
		typ   reflect.Type
		texts []string
	}{
		{reflect.TypeFor[Duration](), []string{"", "5", "5 s", "none", "1d", "NaNs", "1e3s", "-"}},
		{reflect.TypeFor[AutoSize](), []string{"", "1", "-1B", "Auto", "none"}},
		{reflect.TypeFor[Size](), []string{"", "1", "-1B", "1.5GiB", "1 MiB", "MiB", "1mib", "none", "0x10B"}},
		{reflect.TypeFor[Ratio](), []string{"", "%", "1.1", "1e-3", "Inf", "0x1p-2", "50 %", "-0.1", "none", "1.2.3%"}},
		{reflect.TypeFor[Rate](), []string{"", "/s", "10/", "10/0s", "-1/s", "10/d", "10/s/s", "1.5/s", "10/48h"}},
		{reflect.TypeFor[Amount](), []string{"", "0", "0%", "-5", "101%", "+5", "05", "2000000000", "none"}},
		{reflect.TypeFor[Date](), []string{"", "2027-02-30", "2027-1-1", "31/12/2027", "2027-12-31 18:00:00"}},
		{reflect.TypeFor[int](), []string{"", "+1", "01", "1_000", "0x1", "1.0", "99999999999999999999"}},
		{reflect.TypeFor[bool](), []string{"", "True", "TRUE", "yes", "on", "1", "y"}},
		{reflect.TypeFor[HostPort](), []string{"", "a", "a:", "a:b", "[::", "[a b]:1", "a:+1", "a:01", "a b:1", "::1:80", "a:99999", "http://a:1"}},
		{reflect.TypeFor[URL](), []string{"a", "//a", "http://", "http:a", "file:///x", "http://a:b", "http://a:0", "http://a:70000", "http://a:/", "http://a b/", "https://\u00e4/", "http://a/#x", "http://a/?"}},
		{reflect.TypeFor[URLTemplate](), []string{"https://{service", "https://{a}.b", "https://{service}/../x", "https://{service}//x"}},
		{reflect.TypeFor[PathPrefix](), []string{"a", "/", "/a/", "/a//b", "/a/./b", "/a?b", "/a%20b"}},
		{reflect.TypeFor[Prefix](), []string{"", "10.0.0.0/33", "10.0.0.1/8", "a", "fe80::1%eth0"}},
		{reflect.TypeFor[HeaderName](), []string{"", "a b", "a:", "ä", "a\r\nb"}},
		{reflect.TypeFor[Digest](), []string{"", "zz", "9f86"}},
		{reflect.TypeFor[File](), []string{"a\x00b", "a\nb"}},
		{reflect.TypeFor[string](), []string{"a\nb", "\x7f"}},
	}
	for _, tt := range tests {
		for _, text := range tt.texts {
			if text == "" && mayBeEmpty(tt.typ, rule{}) {
				continue
			}
			if got, err := parseText(tt.typ, text, rule{}); err == nil {
				t.Errorf("%s accepts %q as %v", tt.typ, text, got)
			}
		}
	}
}

// What is printed reads back as the same value.
func TestNotationsReadBack(t *testing.T) {
	for _, s := range []Size{1, 1023, 1 << 10, 3 << 20, 1 << 40, 1<<30 + 1} {
		if got, err := sizeOf(s.String()); err != nil || got != s {
			t.Errorf("%d prints as %s, reads as %d, %v", s, s, got, err)
		}
	}
	for _, r := range []Rate{{1000, time.Minute}, {1, time.Millisecond}, {5, 90 * time.Second}} {
		if got, err := parseRate(r.String()); err != nil || got != r {
			t.Errorf("%v reads as %v, %v", r, got, err)
		}
	}
	for _, a := range []Amount{{Percent: 12.5}, {Tokens: 3}} {
		if got, err := parseAmount(a.String()); err != nil || got != a {
			t.Errorf("%v reads as %v, %v", a, got, err)
		}
	}
}

// A percentage of a small bucket rounds down, a guarantee to at least 1.
func TestAmountOfSmallBuckets(t *testing.T) {
	tests := []struct {
		amount       Amount
		limit        int
		of, atLeast1 int
	}{
		{Amount{Percent: 20}, 8, 1, 1},
		{Amount{Percent: 5}, 8, 0, 1},
		{Amount{Percent: 29}, 100, 29, 29}, // 28.999… in binary
		{Amount{Percent: 100}, 8, 8, 8},
		{Amount{Tokens: 3}, 8, 3, 3},
		{Amount{}, 8, 0, 0},
	}
	for _, tt := range tests {
		if of, least := tt.amount.Of(tt.limit), tt.amount.AtLeastOne(tt.limit); of != tt.of || least != tt.atLeast1 {
			t.Errorf("%s of %d = %d, guaranteed %d; want %d, %d", tt.amount, tt.limit, of, least, tt.of, tt.atLeast1)
		}
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[HostPort]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "[::1]:9090": true, "[::ffff:127.0.0.1]:1": true, "localhost:1": true, "LocalHost.:1": true,
		"0.0.0.0:1": false, "[::]:1": false, ":1": false, "10.0.0.1:1": false, "localhost.example.com:1": false, "": false,
	} {
		if got := address.Loopback(); got != want {
			t.Errorf("%q loopback = %v", address, got)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	known := []string{"address", "lame_duck", "limits", "tls"}
	for given, want := range map[string]string{
		"ADDRESSS": "address", "lameDuck": "lame_duck", "lame-duck": "lame_duck", "limtis": "limits", "LIMITS": "limits", "tsl": "tls",
		"zzz": "", "": "", "completely_different": "",
	} {
		got := didYouMean(given, known)
		if want == "" && got != "" || want != "" && got != ` (did you mean "`+want+`"?)` {
			t.Errorf("%q suggests %q, want %q", given, got, want)
		}
	}
}
