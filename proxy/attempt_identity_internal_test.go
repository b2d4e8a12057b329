package proxy

import (
	"net/http"
	"testing"

	"iqgateway/internal/exchange"
)

type someToken struct{}

func (someToken) Authorize(http.Header) {}

// Callers that bring their own tokens never share a connection, with each other
// or with a credential.
func TestIdentityOfConnections(t *testing.T) {
	a, b := &exchange.Caller{Name: "a"}, &exchange.Caller{Name: "b"}
	for name, tt := range map[string]struct {
		credential string
		exchange   exchange.Exchange
		want       string
	}{
		"a credential":             {"retail", exchange.Exchange{Caller: a}, "retail"},
		"none":                     {"", exchange.Exchange{Caller: a}, ""},
		"a caller's own":           {"passthrough", exchange.Exchange{Caller: a, Own: someToken{}}, "passthrough of a"},
		"another's":                {"passthrough", exchange.Exchange{Caller: b, Own: someToken{}}, "passthrough of b"},
		"none goes, of a caller's": {"", exchange.Exchange{Caller: a, Own: someToken{}}, ""},
	} {
		n := run{exchange: &tt.exchange, info: AttemptInfo{Credential: tt.credential}}
		if got := n.identity(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
