package cache

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRFC9111_5_2_1_RequestDirectives(t *testing.T) {
	tests := []struct {
		name string
		h    http.Header
		want want
	}{
		{"none", headerOf(), want{}},
		{"5.2.1.1", headerOf("Cache-Control", "max-age=5"), want{MaxAge: deltaOf(5)}},
		{"5.2.1.2", headerOf("Cache-Control", "max-stale=5"), want{MaxStale: deltaOf(5)}},
		{"5.2.1.2: any", headerOf("Cache-Control", "max-stale"), want{MaxStale: deltaOf(1 << 31)}},
		{"5.2.1.3", headerOf("Cache-Control", "min-fresh=5"), want{MinFresh: deltaOf(5)}},
		{"5.2.1.4", headerOf("Cache-Control", "no-cache"), want{NoCache: true}},
		{"5.2.1.5", headerOf("Cache-Control", "no-store"), want{NoStore: true}},
		{"5.2.1.7", headerOf("Cache-Control", "only-if-cached"), want{OnlyIfCached: true}},
		{"several lines", headerOf("Cache-Control", "no-store", "Cache-Control", "max-age=0"), want{NoStore: true, MaxAge: deltaOf(0)}},
		{"directives of responses", headerOf("Cache-Control", "public, private, s-maxage=5, must-revalidate"), want{}},
		{"5861, 4", headerOf("Cache-Control", "stale-if-error=5"), want{IfError: deltaOf(5)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, service := range []*Service{{Mode: ModeRFC9111}, {Mode: ModePolicy}} {
				got := requestWants(service, &Rule{NoCache: NoCacheObey}, test.h)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("mode %d (-want +got):\n%s", service.Mode, diff)
				}
			}
		})
	}
}

func TestRFC9111_5_4_Pragma(t *testing.T) {
	tests := []struct {
		h    http.Header
		want bool
	}{
		{headerOf("Pragma", "no-cache"), true},
		{headerOf("Pragma", "No-Cache"), true},
		{headerOf("Pragma", `x="y", no-cache`), true},
		{headerOf("Pragma", "x", "Pragma", "\tno-cache "), true},
		{headerOf("Pragma", "x"), false},
		{headerOf("Pragma", "no-cache=1"), false},
		{headerOf("Pragma", ""), false},
		{headerOf("Pragma", "no-cache", "Cache-Control", "max-age=5"), false},
		{headerOf("Pragma", "no-cache", "Cache-Control", ""), false},
	}
	for _, test := range tests {
		if got := requestWants(&Service{Mode: ModeRFC9111}, nil, test.h).NoCache; got != test.want {
			t.Errorf("%v: no-cache = %t, want %t", test.h, got, test.want)
		}
	}
}

// In policy mode a rule says what a caller may make the fleet spend.
func TestPolicyNoCache(t *testing.T) {
	tests := []struct {
		noCache NoCache
		h       http.Header
		want    want
	}{
		{NoCacheLimit, headerOf("Cache-Control", "no-cache"), want{NoCache: true, Limited: true}},
		{NoCacheLimit, headerOf("Pragma", "no-cache"), want{NoCache: true, Limited: true}},
		{NoCacheLimit, headerOf("Cache-Control", "max-age=0"), want{MaxAge: deltaOf(0), Limited: true}},
		{NoCacheLimit, headerOf("Cache-Control", "min-fresh=9"), want{MinFresh: deltaOf(9), Limited: true}},
		{NoCacheObey, headerOf("Cache-Control", "no-cache"), want{NoCache: true}},
		{NoCacheObey, headerOf("Pragma", "no-cache"), want{NoCache: true}},
		{NoCacheObey, headerOf("Cache-Control", "max-age=0"), want{MaxAge: deltaOf(0)}},
		{NoCacheIgnore, headerOf("Cache-Control", "no-cache"), want{Limited: true}},
		{NoCacheIgnore, headerOf("Pragma", "no-cache"), want{Limited: true}},
		{NoCacheIgnore, headerOf("Cache-Control", "max-age=0"), want{Limited: true}},
		{NoCacheIgnore, headerOf("Cache-Control", "max-age=x"), want{Limited: true}},
		{NoCacheIgnore, headerOf("Cache-Control", "max-age=5"), want{MaxAge: deltaOf(5), Limited: true}},
		{
			NoCacheIgnore, headerOf("Cache-Control", "no-cache, no-store, only-if-cached, max-stale=7"),
			want{NoStore: true, OnlyIfCached: true, MaxStale: deltaOf(7), Limited: true},
		},
	}
	for _, test := range tests {
		got := requestWants(&Service{Mode: ModePolicy}, &Rule{NoCache: test.noCache}, test.h)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v, %v (-want +got):\n%s", test.noCache, test.h, diff)
		}
	}
}
