package cache

import (
	"testing"
	"time"
)

func TestRFC9211_2_Parameters(t *testing.T) {
	tests := []struct {
		status cacheStatus
		want   string
	}{
		{cacheStatus{detail: reasonOnlyIfCached}, "detail=only-if-cached"},
		{cacheStatus{hit: true, hasTTL: true, ttl: 28*time.Second + 900*time.Millisecond}, "hit; ttl=28"},
		{cacheStatus{hit: true, hasTTL: true}, "hit; ttl=0"},
		{cacheStatus{hit: true, hasTTL: true, ttl: -500 * time.Millisecond}, "hit; ttl=-1"}, // stale
		{cacheStatus{hit: true, hasTTL: true, ttl: -2 * time.Second, detail: "quota"}, "hit; ttl=-2; detail=quota"},
		{cacheStatus{fwd: fwdURIMiss, stored: true}, "fwd=uri-miss; stored"},
		{
			cacheStatus{fwd: fwdStale, fwdStatus: 304, hasTTL: true, ttl: time.Minute, stored: true, collapsed: true, detail: "x"},
			"fwd=stale; fwd-status=304; ttl=60; stored; collapsed; detail=x",
		},
		{cacheStatus{hit: true, ttl: time.Second}, "hit"},
		{cacheStatus{fwd: fwdRequest, detail: "no-store"}, "fwd=request; detail=no-store"},
		{cacheStatus{fwd: fwdBypass, detail: `a "b" \ é`}, `fwd=bypass; detail="a \"b\" \\ ??"`},
		{cacheStatus{fwd: fwdBypass, detail: "9lives"}, `fwd=bypass; detail="9lives"`}, // a token begins with a letter
		{cacheStatus{fwd: fwdBypass, detail: "a\r\nb"}, `fwd=bypass; detail="a??b"`},
	}
	for _, tt := range tests {
		if got := tt.status.String(); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.status, got, tt.want)
		}
	}
}

func BenchmarkCacheStatus(b *testing.B) {
	s := cacheStatus{hit: true, hasTTL: true, ttl: 28 * time.Second}
	b.ReportAllocs()
	for b.Loop() {
		if s.String() == "" {
			b.Fatal("empty")
		}
	}
}
