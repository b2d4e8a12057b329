package observability

import (
	"errors"
	"net/http"
	"testing"
)

// Headers for the collector may be secrets: no proxy of the environment gets them,
// nor where a collector redirects to.
func TestSpansGoToTheCollectorAlone(t *testing.T) {
	client, _, err := Collector{URL: "http://collector:4318/v1/traces"}.client()
	if err != nil {
		t.Fatal(err)
	}
	if transport, ok := client.Transport.(*http.Transport); !ok || transport.Proxy != nil {
		t.Errorf("%T goes through a proxy", client.Transport)
	}
	if err := client.CheckRedirect(nil, nil); !errors.Is(err, http.ErrUseLastResponse) {
		t.Errorf("a redirect is followed: %v", err)
	}
}
