package cache

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"
)

// What is hidden is in no stored answer, and stays in the one that was given:
// others read it.
func TestHiddenFieldsAreNotKept(t *testing.T) {
	header := http.Header{
		"Content-Type": {"text/plain"}, "Server": {"Kestrel"}, "X-Powered-By": {"ASP.NET"}, "Link": {"</a>", "</b>"},
	}
	o := &Object{
		Key: "k", Selected: "s", Status: http.StatusOK, Header: header, Body: []byte("x"),
		Received: time.Now(), terms: terms{Lifetime: time.Hour},
	}
	given := header.Clone()
	hidden := func(name string) bool { return name == "Server" || name == "X-Powered-By" }
	tests := map[string]struct {
		hidden func(string) bool
		want   http.Header
	}{
		"hidden":  {hidden, http.Header{"Content-Type": {"text/plain"}, "Link": {"</a>", "</b>"}}},
		"nothing": {nil, given},
	}
	weights := map[string]int64{}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := New(Options{Hidden: tt.hidden})
			t.Cleanup(c.Close)
			if !c.memory.put(o) {
				t.Fatal("it was not stored")
			}
			got := c.memory.get("k", "s")
			if !maps.EqualFunc(got.Header, tt.want, slices.Equal[[]string]) {
				t.Errorf("kept %v, want %v", got.Header, tt.want)
			}
			if !maps.EqualFunc(header, given, slices.Equal[[]string]) {
				t.Errorf("the given answer has changed: %v", header)
			}
			weights[name] = c.memory.bytes()
		})
	}
	if weights["hidden"] >= weights["nothing"] {
		t.Errorf("without the hidden fields it takes %d bytes, with them %d", weights["hidden"], weights["nothing"])
	}
}
