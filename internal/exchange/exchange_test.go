package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"iqgateway/internal/exchange"
)

func TestContextCarriesExchange(t *testing.T) {
	ex := &exchange.Exchange{ID: "r1-1"}
	ctx := exchange.With(context.Background(), ex)
	if exchange.From(ctx) != ex {
		t.Error("From does not return what With put in")
	}
	if exchange.From(context.Background()) == nil {
		t.Error("a stage alone gets no exchange")
	}
}

func TestProblemKeepsItsCause(t *testing.T) {
	cause := errors.New("dial tcp: refused")
	err := fmt.Errorf("attempt: %w", exchange.Refuse(exchange.UpstreamUnreachable, "crm did not answer").Because(cause))
	var p *exchange.Problem
	if !errors.As(err, &p) || !errors.Is(err, cause) {
		t.Fatalf("%v lost its problem or its cause", err)
	}
	if p.Status() != 502 {
		t.Errorf("status %d", p.Status())
	}
}

func TestSpecsAreComplete(t *testing.T) {
	seen := map[exchange.ProblemType]bool{}
	for _, s := range exchange.Specs() {
		if seen[s.Type] {
			t.Errorf("%s stands twice", s.Type)
		}
		seen[s.Type] = true
		if s.Status < 400 || s.Title == "" || s.Meaning == "" || s.Remedy == "" {
			t.Errorf("%s is incomplete: %+v", s.Type, s)
		}
		if s.Type.Spec() != s {
			t.Errorf("%s does not find its row", s.Type)
		}
	}
	if got := exchange.ProblemType("nonsense").Spec().Status; got != 500 {
		t.Errorf("an unknown type has status %d", got)
	}
}
