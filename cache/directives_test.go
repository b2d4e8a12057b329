package cache

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func deltaOf(n int64) delta { return delta{Set: true, For: inSeconds(n)} }

func TestRFC9111_5_2_Directives(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  directives
	}{
		{"5.2: none", nil, directives{}},
		{"5.2: empty", []string{""}, directives{}},
		{"5.2: several lines", []string{"no-store", "max-age=5"}, directives{NoStore: true, MaxAge: deltaOf(5)}},
		{"5.2: one line", []string{"no-store, max-age=5"}, directives{NoStore: true, MaxAge: deltaOf(5)}},
		{"5.2: names in any case", []string{"No-STORE, MAX-age=5"}, directives{NoStore: true, MaxAge: deltaOf(5)}},
		{"5.2: ASCII case only", []string{"no-\u017ftore, \u212a"}, directives{}},
		{"5.2: a token or a quoted string", []string{`max-age="5"`}, directives{MaxAge: deltaOf(5)}},
		{"5.2: unknown ones ignored", []string{`community="UCI, no-store", max-age=5, x=1`}, directives{MaxAge: deltaOf(5)}},
		{"5.2: no prefix of a name", []string{"no-storex, xno-store, no-stor"}, directives{}},
		{"9110 5.6.1: empty members", []string{", ,\tpublic ,,"}, directives{Public: true}},
		{"9110 5.6.4: escapes", []string{`x="\", no-cache, \"", private`}, directives{Private: true}},
		{"9110 5.6.4: escaped digits", []string{`max-age="\5\0"`}, directives{MaxAge: deltaOf(50)}},
		{"9110 5.6.4: quote never closed", []string{`x="a, no-store, public`}, directives{NoStore: true, Public: true}},
		{"9110 5.6.4: quote ends in an escape", []string{`x="a, no-store\`, "private"}, directives{Private: true}},
		{"9110 5.6.4: quote around a name", []string{`"no-store", no-cache`}, directives{NoCache: true}},
		{"9110 5.6.4: quote is not carried to the next line", []string{`x="`, `no-store"`, "no-cache"}, directives{NoCache: true}},
		{
			"5.2.1: of requests",
			[]string{"max-age=1, max-stale=2, min-fresh=3, no-cache, no-store, no-transform, only-if-cached"},
			directives{
				MaxAge: deltaOf(1), MaxStale: deltaOf(2), MinFresh: deltaOf(3),
				NoCache: true, NoStore: true, OnlyIfCached: true,
			},
		},
		{"5.2.1.2: max-stale of any age", []string{"max-stale"}, directives{MaxStale: deltaOf(1 << 31)}},
		{
			"5.2.2: of responses",
			[]string{"max-age=1, must-revalidate, must-understand, no-cache, no-store, private, proxy-revalidate, public, s-maxage=2"},
			directives{
				MaxAge: deltaOf(1), SMaxAge: deltaOf(2), MustRevalidate: true, MustUnderstand: true,
				NoCache: true, NoStore: true, Private: true, ProxyRevalidate: true, Public: true,
			},
		},
		{"5.2.2.4: no-cache with fields counts for all", []string{`no-cache="X-A, X-B"`}, directives{NoCache: true}},
		{"5.2.2.4: unless they are never stored", []string{`no-cache="set-cookie, Set-Cookie2"`}, directives{}},
		{"5.2.2.4: as a token too", []string{`no-cache=Set-Cookie`}, directives{}},
		{"5.2.2.4: with and without fields", []string{`no-cache="Set-Cookie", no-cache`}, directives{NoCache: true}},
		{"5.2.2.4: no field is all of them", []string{`no-cache=""`}, directives{NoCache: true}},
		{"5.2.2.4: broken", []string{`no-cache="Set-Cookie"x`}, directives{NoCache: true}},
		{"5.2.2.7: private with fields counts for all", []string{`private="X-A"`}, directives{Private: true}},
		{"5.2.2.7: unless they are never stored", []string{`private="Set-Cookie"`}, directives{}},
		{"5.2.2.5: no-store with a value", []string{`no-store=x`}, directives{NoStore: true}},
		{"5.2.2.9: public with a value is not public", []string{`public=x, immutable="", must-understand=1`}, directives{}},
		{"5.2.2: revalidation with a value", []string{`must-revalidate=0, proxy-revalidate=""`}, directives{MustRevalidate: true, ProxyRevalidate: true}},
		{
			"5861",
			[]string{"stale-while-revalidate=7, stale-if-error=8"},
			directives{WhileRevalidate: deltaOf(7), IfError: deltaOf(8)},
		},
		{"8246", []string{"immutable"}, directives{Immutable: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, parseCacheControl(test.lines)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", test.lines, diff)
			}
		})
	}
}

// What is no number of seconds, or is contradicted, is the worst that it could
// be.
func TestRFC9111_4_2_1_InvalidFreshness(t *testing.T) {
	for _, value := range []string{
		"", " 5", "-5", "+5", "5.0", "5s", "0x5", "5 5", "5;x", "\u0665", "'5'", `"5`, `"5"0`, `" 5"`, `""`, "a", "1e3",
	} {
		for name, of := range numeric() {
			line := name + "=" + value
			want := delta{Set: true}
			if name == "min-fresh" {
				want.For = maxDelta
			}
			if got := of(parseCacheControl([]string{line})); got != want {
				t.Errorf("%q = %v, want %v", line, got, want)
			}
		}
	}
	tests := []struct {
		line string
		want delta
	}{
		{"max-age=5, max-age=5", deltaOf(5)},
		{`max-age=5, max-age="05"`, deltaOf(5)},
		{"max-age=5, max-age=6", deltaOf(0)},
		{"max-age=6, max-age=5, max-age=6", deltaOf(0)},
		{"max-age=5, max-age=x", deltaOf(0)},
		{"max-age, max-age=5", deltaOf(0)},
		{"max-age =5", deltaOf(0)},
		{"max-age= 5", deltaOf(0)},
	}
	for _, test := range tests {
		if got := parseCacheControl([]string{test.line}).MaxAge; got != test.want {
			t.Errorf("%q = %v, want %v", test.line, got, test.want)
		}
	}
	if got := parseCacheControl([]string{"min-fresh=5, min-fresh=6"}).MinFresh; got != deltaOf(1<<31) {
		t.Errorf("min-fresh given twice = %v, want the longest", got)
	}
	if got := parseCacheControl([]string{"max-stale, max-stale=6"}).MaxStale; got != deltaOf(0) {
		t.Errorf("max-stale given twice = %v, want 0", got)
	}
}

// numeric are the directives that name a time.
func numeric() map[string]func(directives) delta {
	return map[string]func(directives) delta{
		"max-age":                func(ds directives) delta { return ds.MaxAge },
		"s-maxage":               func(ds directives) delta { return ds.SMaxAge },
		"stale-while-revalidate": func(ds directives) delta { return ds.WhileRevalidate },
		"stale-if-error":         func(ds directives) delta { return ds.IfError },
		"min-fresh":              func(ds directives) delta { return ds.MinFresh },
		"max-stale":              func(ds directives) delta { return ds.MaxStale },
	}
}

func TestRFC9111_1_2_2_DeltaSeconds(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
	}{
		{"0", 0},
		{"007", 7 * time.Second},
		{"2147483647", 2147483647 * time.Second},
		{"2147483648", maxDelta},
		{"2147483649", maxDelta},
		{"9223372036854775808", maxDelta},
		{strings.Repeat("9", 10_000), maxDelta},
		{strings.Repeat("0", 10_000) + "1", time.Second},
	}
	for _, test := range tests {
		if got, ok := parseDelta(test.text); !ok || got != test.want {
			t.Errorf("parseDelta(%.20q) = %v, %t, want %v", test.text, got, ok, test.want)
		}
	}
}

// render writes directives as an upstream or a caller would.
func (ds directives) render() string {
	var b strings.Builder
	for name, set := range ds.flags() {
		if set {
			b.WriteString(name + ", ")
		}
	}
	for name, of := range numeric() {
		if v := of(ds); v.Set {
			b.WriteString(name + "=" + strconv.FormatInt(int64(v.For/time.Second), 10) + ", ")
		}
	}
	return b.String()
}

func (ds directives) flags() map[string]bool {
	return map[string]bool{
		"no-store": ds.NoStore, "no-cache": ds.NoCache, "private": ds.Private, "public": ds.Public,
		"must-revalidate": ds.MustRevalidate, "proxy-revalidate": ds.ProxyRevalidate,
		"must-understand": ds.MustUnderstand, "immutable": ds.Immutable, "only-if-cached": ds.OnlyIfCached,
	}
}

func FuzzCacheControl(f *testing.F) {
	for _, seed := range []string{
		"", "no-store", `max-age="60", private="a, b"`, `x="\"`, "max-age=1, max-age=2", "=,=\"", "max-stale", `no-cache="Set-Cookie"`,
	} {
		f.Add(seed, "s-maxage=1")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		ds := parseCacheControl([]string{first, second})
		if again := parseCacheControl([]string{ds.render()}); again != ds {
			t.Errorf("%q is not what it was after writing it down (-want +got):\n%s", first, cmp.Diff(ds, again))
		}
		for name, of := range numeric() {
			if v := of(ds); v.For < 0 || v.For > maxDelta || v.For%time.Second != 0 || !v.Set && v.For != 0 {
				t.Errorf("%q: %s = %v", first, name, v)
			}
		}
		// Nothing that stands before it hides what an upstream forbids.
		if ds := parseCacheControl([]string{first + ", no-store", second}); !ds.NoStore {
			t.Errorf("no-store is not heard after %q", first)
		}
		if reversed := parseCacheControl([]string{second, first}); reversed != ds {
			t.Errorf("the order of %q and %q changes what they say", first, second)
		}
	})
}

func BenchmarkCacheControl(b *testing.B) {
	lines := []string{"public, max-age=3600, s-maxage=600, stale-while-revalidate=60"}
	b.ReportAllocs()
	for b.Loop() {
		parseCacheControl(lines)
	}
}
