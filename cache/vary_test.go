package cache

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
)

func TestRFC9110_12_5_5_Vary(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  []string
		ok    bool
	}{
		{"none", nil, nil, true},
		{"empty", []string{""}, nil, true},
		{"one", []string{"accept"}, []string{"Accept"}, true},
		{"repeated name", []string{"Accept,Accept-Language,Accept-Encoding,Accept-Encoding"}, []string{"Accept", "Accept-Encoding", "Accept-Language"}, true},
		{"several lines", []string{" Prefer\t, ,", "ACCEPT"}, []string{"Accept", "Prefer"}, true},
		{"user agent", []string{"User-Agent"}, []string{"User-Agent"}, true},
		{"any", []string{"*"}, nil, false},
		{"any in a list", []string{"Accept, *"}, nil, false},
		{"any in another line", []string{"Accept", "*"}, nil, false},
		{"cookie", []string{"Accept, cookie"}, nil, false},
		{"authorization", []string{"AUTHORIZATION"}, nil, false},
		{"no name", []string{"Accept Language"}, nil, false},
		{"quoted", []string{`"Accept"`}, nil, false},
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.lines != nil {
			h["Vary"] = tt.lines
		}
		got, ok := varyNames(h)
		if ok != tt.ok || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestVaryIsBounded(t *testing.T) {
	h := http.Header{}
	for i := range maxVaryNames {
		h.Add("Vary", fmt.Sprintf("X-%d", i))
	}
	if names, ok := varyNames(h); !ok || len(names) != maxVaryNames {
		t.Errorf("%d names, %v", len(names), ok)
	}
	h.Add("Vary", "X-More")
	if names, ok := varyNames(h); ok {
		t.Errorf("%d names are accepted", len(names))
	}
}

func TestRFC9111_4_1_MatchingVary(t *testing.T) {
	s, r := &Service{Forward: []string{"X-Region"}}, &Rule{}
	base := fields("Accept: application/json", "Accept-Language: en-US, de;q=0.5", "Prefer: return=minimal", "X-Region: eu", "Accept-Encoding: gzip")
	tests := []struct {
		name   string
		vary   []string
		change []string
		want   bool
	}{
		{"all the same", []string{"Accept"}, nil, true},
		{"order and white space", []string{"Accept-Language"}, []string{"Accept-Language: de;q=0.50,EN-us"}, true},
		{"another language", []string{"Accept-Language"}, []string{"Accept-Language: de"}, false},
		{"another language, not named", []string{"Accept"}, []string{"Accept-Language: de"}, true},
		{"missing", []string{"Accept-Language"}, []string{"Accept-Language: "}, false},
		{"another region", []string{"X-Region"}, []string{"X-Region: us"}, false},
		{"another region, not named", nil, []string{"X-Region: us"}, true},
		{"another coding", []string{"Accept-Encoding"}, []string{"Accept-Encoding: identity"}, false},
		{"another spelling of the coding", []string{"Accept-Encoding"}, []string{"Accept-Encoding: br, GZIP;q=1.0"}, true},
		{"what never goes upstream", []string{"User-Agent", "Origin"}, []string{"User-Agent: x", "Origin: y"}, true},
	}
	for _, tt := range tests {
		o := stored()
		o.Vary, o.Selected = tt.vary, selectFields(s, r, base).text
		request := base.Clone()
		maps.Copy(request, fields(tt.change...))
		if got := selectFields(s, r, request).matches(o); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if (selection{refused: true}).matches(&Object{}) {
		t.Error("a refused selection matches")
	}
}
