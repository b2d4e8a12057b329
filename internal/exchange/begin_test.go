package exchange_test

import (
	"context"
	"testing"

	"iqgateway/internal/exchange"
)

func TestBegin(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "below"))
	ctx, ex := exchange.Begin(parent)
	ex.ID = "a"
	if exchange.From(ctx) != ex || exchange.From(context.WithoutCancel(ctx)).ID != "a" {
		t.Error("the context does not carry its exchange")
	}
	if ctx.Value(key{}) != "below" || exchange.AuthorizerFrom(ctx) != nil {
		t.Error("other values are lost")
	}
	other := &exchange.Exchange{ID: "b"}
	if exchange.From(exchange.With(ctx, other)) != other {
		t.Error("a later exchange does not hide it")
	}
	child, stop := context.WithCancel(ctx)
	defer stop()
	cancel()
	if <-child.Done(); ctx.Err() == nil {
		t.Error("it does not end with its parent")
	}
}

func TestSetTarget(t *testing.T) {
	var ex exchange.Exchange
	target := exchange.Target{Service: "crm"}
	ex.SetTarget(target)
	target.Service = "changed"
	if ex.Target == nil || ex.Target.Service != "crm" {
		t.Errorf("%+v", ex.Target)
	}
}
