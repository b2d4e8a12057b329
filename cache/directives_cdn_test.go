package cache

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRFC9213_2_1_Syntax(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  directives
	}{
		{"flags and integers", []string{"max-age=60, must-revalidate"}, directives{MaxAge: deltaOf(60), MustRevalidate: true}},
		{"several lines", []string{"max-age=60", "no-store"}, directives{MaxAge: deltaOf(60), NoStore: true}},
		{"space around", []string{"  max-age=60 \t,\tpublic  "}, directives{MaxAge: deltaOf(60), Public: true}},
		{"booleans", []string{"no-store=?0, public=?1, private=?1"}, directives{Public: true, Private: true}},
		{"the last of several", []string{"max-age=1, max-age=60, no-store, no-store=?0"}, directives{MaxAge: deltaOf(60)}},
		{"parameters ignored", []string{`max-age=60;a;b=1;c="x";d=?0;e=:YQ==:;f=1.5;*g=t, no-store; x`}, directives{MaxAge: deltaOf(60), NoStore: true}},
		{"unknown members of any type", []string{`a=tok/en:1, b="s\"\\", c=:YQ:, d=1.25, e=(1 "a" b;p);q, f=(), g=*t, max-age=1`}, directives{MaxAge: deltaOf(1)}},
		{"negative is stale", []string{"max-age=-1"}, directives{MaxAge: deltaOf(0)}},
		{"too long is as long as can be", []string{"s-maxage=999999999999999"}, directives{SMaxAge: deltaOf(1 << 31)}},
		{"no-cache with fields", []string{`no-cache="X-A"`}, directives{NoCache: true}},
		{"no-cache with fields that are never stored", []string{`no-cache="Set-Cookie", private="set-cookie"`}, directives{}},
		{"a flag of another type forbids", []string{"no-store=1, proxy-revalidate=x"}, directives{NoStore: true, ProxyRevalidate: true}},
		{"but allows nothing", []string{"public=1, immutable=(), must-understand=t"}, directives{}},
		{
			"all",
			[]string{
				"no-store, no-cache, private, public, must-revalidate, proxy-revalidate, must-understand, immutable",
				"max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4",
			},
			directives{
				NoStore: true, NoCache: true, Private: true, Public: true, MustRevalidate: true,
				ProxyRevalidate: true, MustUnderstand: true, Immutable: true,
				MaxAge: deltaOf(1), SMaxAge: deltaOf(2), WhileRevalidate: deltaOf(3), IfError: deltaOf(4),
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := parseCDNCacheControl(test.lines)
			if diff := cmp.Diff(test.want, got); diff != "" || !ok {
				t.Errorf("%q: ok = %t (-want +got):\n%s", test.lines, ok, diff)
			}
		})
	}
}

// A field that is no dictionary counts for nothing, whatever stands in it.
func TestRFC9213_2_2_IgnoredWhole(t *testing.T) {
	for _, line := range []string{
		"", "  ", ",", "max-age=60,", ",max-age=60", "max-age=60,,public", "max-age=60 public", "max-age=60;",
		"Max-Age=60", "1=2", "-a", "a=", "a=,b", "max-age =60", "max-age= 60", "max-age=60, &&&&&",
		`max-age="60"`, "max-age", "max-age=?1", "max-age=60.5", "max-age=tok", "s-maxage=(60)", "stale-if-error=:YQ==:",
		"a=-", "a=1.", "a=.1", "a=1.1234", "a=1234567890123.1", "a=1234567890123456", "a=--1", "a=1.1.1",
		`a="`, `a="\x"`, `a="\`, "a=\"\x7f\"", "a=\"\u00e9\"", "a=\"\t\"", `a='x'`, `a="x"y`,
		"a=:", "a=:!:", "a=:Y:", "a=:YQ", "a=?", "a=?2", "a=?t", "a=(", "a=(1", "a=(1,2)", "a=(1 2", "a=(1(2))", "a=(1\t2)", "a=(1;)",
		`a=("x"y)`, "a;B", "a;b=", "a;b=(1)", "a; ;b", "a=@1", `a=%"x"`, "a\x00",
	} {
		if got, ok := parseCDNCacheControl([]string{line}); ok || got != (directives{}) {
			t.Errorf("%q = %+v, %t; want it to be ignored", line, got, ok)
		}
		if line != "" && strings.Trim(line, " ") != "" {
			if got, ok := parseCDNCacheControl([]string{"no-store", line}); ok || got != (directives{}) {
				t.Errorf("after a good line, %q = %+v, %t; want all of it to be ignored", line, got, ok)
			}
		}
	}
	if got, ok := parseCDNCacheControl(nil); ok || got != (directives{}) {
		t.Errorf("no field = %+v, %t; want it to be ignored", got, ok)
	}
}

// renderDictionary writes directives as a Structured Field.
func (ds directives) renderDictionary() string {
	var members []string
	for name, set := range ds.flags() {
		if set {
			members = append(members, name)
		}
	}
	for name, of := range numeric() {
		if v := of(ds); v.Set {
			members = append(members, name+"="+strconv.FormatInt(int64(v.For/time.Second), 10))
		}
	}
	return strings.Join(members, ", ")
}

func FuzzCDNCacheControl(f *testing.F) {
	for _, seed := range []string{
		"max-age=60, no-store", `a="\"";b=:YQ==:`, "a=(1 2;c);d, max-age=-1", "max-age=1, max-age=2", "a=1.5, b=?0", ",", "*=*",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		ds, ok := parseCDNCacheControl([]string{line})
		if !ok {
			if ds != (directives{}) {
				t.Fatalf("%q is ignored, but says %+v", line, ds)
			}
			return
		}
		if ds.OnlyIfCached || ds.MinFresh.Set || ds.MaxStale.Set {
			t.Errorf("%q: directives of requests are heard: %+v", line, ds)
		}
		for name, of := range numeric() {
			if v := of(ds); v.For < 0 || v.For > maxDelta || !v.Set && v.For != 0 {
				t.Errorf("%q: %s = %v", line, name, v)
			}
		}
		if again, ok := parseCDNCacheControl([]string{line, "x"}); !ok || again != ds {
			t.Errorf("%q says something else with an unknown member after it: %+v", line, again)
		}
		text := ds.renderDictionary()
		if again, ok := parseCDNCacheControl([]string{text}); again != ds || ok != (text != "") {
			t.Errorf("%q is not what it was after writing it as %q (-want +got):\n%s", line, text, cmp.Diff(ds, again))
		}
		if parseCacheControl([]string{text}) != ds {
			t.Errorf("%q means something else in Cache-Control", text)
		}
	})
}
