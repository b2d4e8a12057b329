package cache

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestRFC9111_4_1_NormalisedFields(t *testing.T) {
	tests := []struct {
		field  string
		values []string
		want   string
	}{
		{"Accept", []string{"application/json"}, "application/json"},
		{"Accept", []string{"Application/JSON"}, "application/json"},
		{"Accept", []string{"text/html ; LEVEL=1 ;Q=0.50 ,, */*;q=1.000"}, "text/html;level=1;q=0.5, */*"},
		{"Accept", []string{"text/html", "application/json"}, "text/html, application/json"},
		{"Accept", []string{`a/b;x="1, 2;q=3", c/d`}, `a/b;x="1, 2;q=3", c/d`},
		{"Accept", []string{`a/b;x="Q\", ";q=0`}, `a/b;x="Q\", ";q=0`},
		{"Accept", []string{"b/c, a/b"}, "b/c, a/b"},          // the order stays
		{"Accept", []string{"A/B;q=2,  C/D"}, "A/B;q=2, C/D"}, // not by the grammar: only joined
		{"Accept", []string{"JSON"}, "JSON"},
		{"Accept", []string{"A/b;q = 1"}, "A/b;q = 1"},
		{"Accept", []string{""}, ""},
		{"Accept-Language", []string{"en-us"}, "en-US"},
		{"Accept-Language", []string{"EN"}, "en"},
		{"Accept-Language", []string{"zh-hant-tw, de-CH-1996"}, "de-CH-1996, zh-Hant-TW"},
		{"Accept-Language", []string{"x-en-us-abcd"}, "x-en-US-Abcd"},
		{"Accept-Language", []string{"de;q=0.5,en-US"}, "en-US, de;q=0.5"},
		{"Accept-Language", []string{" en-US ; Q=1.0 , de;q=0.500"}, "en-US, de;q=0.5"},
		{"Accept-Language", []string{"en", "de, en"}, "de, en"}, // a set
		{"Accept-Language", []string{"*;q=0, fr;q=0.001"}, "fr;q=0.001, *;q=0"},
		{"Accept-Language", []string{"en;q=1.1,  DE"}, "en;q=1.1, DE"},
		{"Accept-Language", []string{"en_US,  DE"}, "en_US, DE"},
		{"Accept-Language", []string{"en;level=1,DE"}, "en;level=1, DE"},
		{"Prefer", []string{`return=minimal,wait=10`, `foo="a,b"`}, `return=minimal, wait=10, foo="a,b"`},
		{"Accept-Charset", []string{" utf-8 ,*"}, "utf-8, *"},
		{"X-Region", []string{"  EU, us "}, "EU, us"},
	}
	s := &Service{Forward: []string{"X-Region"}}
	for _, tt := range tests {
		got := selectFields(s, nil, http.Header{tt.field: tt.values}).header()
		if len(got[tt.field]) != 1 || got.Get(tt.field) != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.field, tt.values, got[tt.field], tt.want)
		}
		again := selectFields(s, nil, got).header()
		if !maps.EqualFunc(again, got, slices.Equal[[]string]) {
			t.Errorf("%s: normalised twice: %v, once: %v", tt.field, again, got)
		}
	}
}

func TestRFC9110_12_5_3_AcceptEncoding(t *testing.T) {
	tests := map[string]string{
		"gzip": "gzip", "GZip": "gzip", "x-gzip": "gzip", "gzip, deflate, br": "gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1": "gzip",
		"*": "gzip", "*;q=0.1": "gzip", "identity, *": "gzip", "gzip;q=0.001": "gzip",
		"": "identity", "identity": "identity", "br": "identity", "deflate, br": "identity", "gzip;q=0": "identity",
		"gzip;q=0.000": "identity", "*;q=0": "identity", "gzip;q=0, *": "identity", "gzip, gzip;q=0": "identity",
		"identity;q=1, gzip;q=0.5": "identity", "identity;q=0.5, gzip;q=0.5": "gzip", "identity;q=0": "identity",
		"gzip;q=x": "identity", "gzip;level=9": "identity", "gzip;q=1;x=y": "identity", "gzipped": "identity", "gzip;": "identity",
	}
	for value, want := range tests {
		if got := acceptedCoding([]string{value}); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	if got := acceptedCoding(nil); got != "identity" {
		t.Errorf("none: %s", got)
	}
	if got := acceptedCoding([]string{"br", "gzip"}); got != "gzip" {
		t.Errorf("in the second line: %s", got)
	}
}

// What is not keyed is not sent: of all that a request may carry, only the
// selecting fields reach the upstream, and each of them is part of the text.
func TestUnkeyedFieldsAreNotSent(t *testing.T) {
	unkeyed := []string{
		"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "Host", "Origin", "Referer", "User-Agent", "Dnt", "From",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Real-Ip", "X-Host",
		"X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url", "X-Http-Host-Override",
		"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
		"Cache-Control", "Pragma", "Expect", "Te", "Trailer", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade",
		"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Md5", "Via", "Traceparent", "Baggage",
		"X-Request-Id", "X-Gateway-Credential", "X-Unknown", "Save-Data", "Sec-Ch-Ua", "Accept-Datetime", "X-Not-Forwarded",
	}
	s := &Service{Forward: []string{"X-Region", "X-Region", "Accept", "Cookie"}}
	plain := fields("Accept: a/b", "X-Region: eu")
	want := selectFields(s, nil, plain)
	for _, name := range unkeyed {
		h := plain.Clone()
		h.Set(name, "poison")
		if got := selectFields(s, nil, h); got != want {
			t.Errorf("%s selects: %q", name, got.text)
		}
	}
	if got, want := names(want.header()), []string{"Accept", "Accept-Encoding", "X-Region"}; !slices.Equal(got, want) {
		t.Errorf("sent: %v, want %v", got, want)
	}
	for _, line := range []string{"Accept: c/d", "Accept-Language: en", "Accept-Charset: utf-8", "Accept-Encoding: gzip", "Prefer: x", "X-Region: us"} {
		h := plain.Clone()
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
		if got := selectFields(s, nil, h); got == want || got.header().Get(name) != value {
			t.Errorf("%s does not select: %q", line, got.text)
		}
	}
}

// A rule's Vary stands in place of the default: what it leaves out is not sent.
func TestRuleVary(t *testing.T) {
	h := fields("Accept: a/b", "Accept-Language: en", "X-Company: 5", "User-Agent: x", "Prefer: p", "Cookie: c")
	tests := []struct {
		vary []string
		want []string
	}{
		{nil, []string{"Accept", "Accept-Encoding", "Accept-Language", "Prefer"}},
		{[]string{}, []string{"Accept-Encoding", "Prefer"}},
		{[]string{"Accept"}, []string{"Accept", "Accept-Encoding", "Prefer"}},
		{[]string{"X-Company", "User-Agent", "Prefer"}, []string{"Accept-Encoding", "Prefer", "User-Agent", "X-Company"}},
		{[]string{"Cookie", "Accept-Encoding"}, []string{"Accept-Encoding", "Prefer"}}, // never, whoever names it
	}
	for _, tt := range tests {
		got := selectFields(&Service{}, &Rule{Vary: tt.vary}, h).header()
		if !slices.Equal(names(got), tt.want) {
			t.Errorf("vary %v: %v, want %v", tt.vary, names(got), tt.want)
		}
		for name, values := range got {
			if len(values) != 1 {
				t.Errorf("vary %v: %s %q", tt.vary, name, values)
			}
		}
	}
}

func TestSelectionIsBounded(t *testing.T) {
	for name, h := range map[string]http.Header{
		"one field":   fields("Accept: " + strings.Repeat("a", maxSelection)),
		"together":    fields("Accept: "+strings.Repeat("a", maxSelection/2), "X-Region: "+strings.Repeat("a", maxSelection/2)),
		"many lines":  {"X-Region": slices.Repeat([]string{""}, maxSelection/8)},
		"line end":    {"X-Region": {"a\nAccept: b"}},
		"line return": {"Accept": {"a\rb"}},
		"zero byte":   {"Accept": {"a\x00b"}},
	} {
		got := selectFields(&Service{Forward: []string{"X-Region"}}, nil, h)
		if !got.refused || got.text != "" {
			t.Errorf("%s: accepted with %d bytes", name, len(got.text))
		}
	}
	large := fields("Accept: "+strings.Repeat("a", maxSelection-100), "Unkeyed: "+strings.Repeat("a", maxSelection))
	if selectFields(&Service{}, nil, large).refused {
		t.Error("what fits is refused")
	}
}

// Distinct languages are distinct variants, and equal sets are one.
func TestLanguagesOfManyCallers(t *testing.T) {
	seen := map[string]bool{}
	for i := range 10_000 {
		tag := fmt.Sprintf("%c%c-%c%c", 'a'+i%26, 'a'+i/26%26, 'A'+i/676%26, 'A')
		first := selectFields(&Service{}, nil, fields("Accept-Language: "+tag+",en;q=0.1"))
		second := selectFields(&Service{}, nil, fields("Accept-Language: en;q=0.10 , "+strings.ToLower(tag)))
		if first != second {
			t.Fatalf("%q and %q", first.text, second.text)
		}
		seen[first.text] = true
	}
	if len(seen) != 10_000 {
		t.Errorf("10000 languages are %d variants", len(seen))
	}
}

// The text is injective over what is sent, what is sent selects itself, and no
// value brings a field of its own.
func FuzzSelectFields(f *testing.F) {
	f.Add("application/json", "en-US,de;q=0.5", "gzip", "return=minimal", "eu")
	f.Add(`a/b;x="`, "*;q=0", "identity;q=0", `x="a,b`, "a: b")
	f.Add("A/B;Q=0.50", "x-EN-us", "gzip;q=0,*", ",,", " \t")
	f.Fuzz(func(t *testing.T, accept, language, coding, prefer, region string) {
		s := &Service{Forward: []string{"X-Region"}}
		h := http.Header{
			"Accept": {accept}, "Accept-Language": {language}, "Accept-Encoding": {coding}, "Prefer": {prefer}, "X-Region": {region},
		}
		got := selectFields(s, nil, h)
		if got.refused {
			return
		}
		sent := got.header()
		if !slices.Equal(names(sent), []string{"Accept", "Accept-Encoding", "Accept-Language", "Prefer", "X-Region"}) {
			t.Fatalf("sent %q", sent)
		}
		if again := selectFields(s, nil, sent); again != got {
			t.Fatalf("%q selects %q", got.text, again.text)
		}
		if sent.Get("X-Region") != strings.Trim(region, " \t") {
			t.Fatalf("region %q became %q", region, sent["X-Region"])
		}
		if coding := sent.Get("Accept-Encoding"); coding != "gzip" && coding != "identity" {
			t.Fatalf("coding %q", coding)
		}
	})
}

func BenchmarkSelectFields(b *testing.B) {
	s, r := &Service{Forward: []string{"X-Region"}}, &Rule{Vary: []string{"Accept", "Accept-Language"}}
	h := fields("Accept: application/json", "Accept-Language: en-US", "Accept-Encoding: gzip, deflate", "User-Agent: x")
	b.ReportAllocs()
	for b.Loop() {
		if selectFields(s, r, h).refused {
			b.Fatal("refused")
		}
	}
}
