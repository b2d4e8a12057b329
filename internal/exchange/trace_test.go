package exchange_test

import (
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

func TestNewTrace(t *testing.T) {
	a, b := exchange.NewTrace(), exchange.NewTrace()
	if a.ID == b.ID || a.Span == b.Span || a.Link().IsZero() || a.Link() != (exchange.Link{Trace: a.ID, Span: a.Span}) {
		t.Errorf("%+v, %+v", a, b)
	}
	if len(a.ID.String()) != 32 || len(a.Span.String()) != 16 || !(exchange.Link{}).IsZero() {
		t.Errorf("%s %s", a.ID, a.Span)
	}
	id := exchange.TraceID{0x4b, 0xf9}
	if got := id.String(); got != "4bf90000000000000000000000000000" {
		t.Errorf("%s", got)
	}
}

func TestWaited(t *testing.T) {
	begin := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	ex := &exchange.Exchange{Start: begin}
	for range 100 {
		ex.Waited(begin.Add(time.Second), exchange.Wait{Kind: exchange.WaitQuota, Took: time.Millisecond})
	}
	if len(ex.Waits) != 32 || ex.Waits[0].At != time.Second {
		t.Errorf("%d are kept, the first %+v", len(ex.Waits), ex.Waits[0])
	}
}
