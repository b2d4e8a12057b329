package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
)

func TestBaggage(t *testing.T) {
	long := "a=" + strings.Repeat("b", maxBaggage-2)
	tests := map[string]bool{
		"a=b": true, "a=": true, " a = b , c=d;e;f=g ;h": true, "a=%C3%A9": true, "a=b=c": true, long: true,
		"": false, "a": false, "=b": false, "a=b,": false, "a=b;": false, "a=b;=c": false, "a b=c": false, "a=b c": false,
		`a="b"`: false, `a=b\c`: false, "a=é": false, "a=%": false, "a=%zz": false, "a=b\x00": false, "a(b)=c": false, long + "b": false,
	}
	for text, want := range tests {
		if got := isBaggage([]string{text}); got != want {
			t.Errorf("%.40q: %v", text, got)
		}
	}
	if !isBaggage([]string{"a=b", "c=d"}) || isBaggage([]string{"a=b", long}) {
		t.Error("lines are not taken together")
	}
}

// FuzzBaggage: what is passed on has no byte that ends a field or a member early.
func FuzzBaggage(f *testing.F) {
	for _, seed := range []string{"a=b", "a=b;c=d,e=f", "a=%20", "a", ",", "a=\r\nb: c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !isBaggage([]string{text}) {
			return
		}
		if len(text) > maxBaggage || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f }) {
			t.Errorf("%q is passed on", text)
		}
		for member := range strings.SplitSeq(text, ",") {
			if !strings.Contains(member, "=") {
				t.Errorf("%q has a member without a value", text)
			}
		}
	})
}

// TestResendsAreTold: what the transport repeats by itself is a part of the
// attempt, and shows all the same.
func TestResendsAreTold(t *testing.T) {
	n := &run{exchange: &exchange.Exchange{}, out: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://crm.example.com/", nil)}
	n.trace.sentBefore = 2
	n.tried(exchange.Try{Status: http.StatusOK})
	if got := n.exchange.Tries[0]; got.Resent != 2 || got.Host != "crm.example.com" {
		t.Errorf("%+v", got)
	}
}
