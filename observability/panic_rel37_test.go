package observability_test

import (
	"errors"
	"net/http"
	"testing"

	"iqgateway/observability"
)

// carried is a panic from another goroutine.
type carried struct{ error }

func (carried) Thrown() (any, []byte) { return "the first", []byte("its own stack") }

// REL-37: what a panic holds beside text may hold a secret, and is not told.
func TestREL37PanicsAreToldWithoutValues(t *testing.T) {
	for want, value := range map[string]any{
		"boom": "boom", "an error": errors.New("an error"), "http.Header": http.Header{"Authorization": {"Bearer canary"}},
		"[]uint8": []byte("canary"), "the first": carried{errors.New("wrapped")},
	} {
		if got := observability.PanicAttrs(value, []byte("s"))[0].Value.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := observability.PanicAttrs(carried{}, []byte("s"))[1].Value.String(); got != "its own stack" {
		t.Errorf("stack %q", got)
	}
}
