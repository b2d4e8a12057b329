package bulkhead

import (
	"strings"
	"testing"
	"testing/synctest"
)

// A generation brings numbers, what is under way stays.
func TestSlotsOutliveAGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := NewUpstreams(UpstreamsOptions{})
		old := use(t, u, 1)
		held := trip(t, old.Stage()(tripper(answering)), request(t.Context()))
		waits := make(chan struct{})
		go func() {
			defer close(waits)
			_ = trip(t, old.Stage()(tripper(answering)), request(t.Context())).Body.Close()
		}()
		synctest.Wait()
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1, InFlight: 1, Waiting: 1})

		next := use(t, u, 2) // one more: who waits is served
		<-waits
		old.Release()
		old.Release()
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 2, InFlight: 1})

		third := use(t, u, 1) // one less: what is under way counts
		next.Release()
		_, err := third.Stage()(tripper(answering)).RoundTrip(hurried(t))
		wantBusy(t, err, "must not wait")
		_ = held.Body.Close()
		_ = trip(t, third.Stage()(tripper(answering)), hurried(t)).Body.Close()
		third.Release()
		if list := u.List(); len(list) != 0 {
			t.Errorf("kept after the last use: %+v", list)
		}
	})
}

// Another origin is another machine, with slots of its own.
func TestAnotherOriginBeginsAnew(t *testing.T) {
	u := NewUpstreams(UpstreamsOptions{})
	held := trip(t, use(t, u, 1).Stage()(tripper(answering)), request(t.Context()))
	moved, err := u.Use([]Upstream{{Key: crm, Origin: "https://crm2.example.com", MaxInFlight: 1}})
	if err != nil {
		t.Fatal(err)
	}
	_ = trip(t, moved.Stage()(tripper(answering)), hurried(t)).Body.Close()
	wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1, InFlight: 1})
	_ = held.Body.Close()
}

// What is told of an upstream that moves is the bound of its newest origin.
func TestBoundOfAnUpstreamThatMoves(t *testing.T) {
	for range 20 { // maps have no order
		u := NewUpstreams(UpstreamsOptions{})
		use(t, u, 64)
		next, err := u.Use([]Upstream{{Key: crm, Origin: "https://crm2.example.com", MaxInFlight: 8}})
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 8})
		back := use(t, u, 32) // before the others have ended
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 32})
		back.Release()
		next.Release()
	}
}

func TestNoLimit(t *testing.T) {
	u := NewUpstreams(UpstreamsOptions{})
	stage := use(t, u, 0).Stage()(tripper(answering))
	for range 1000 {
		trip(t, stage, hurried(t)) // never ends
	}
	wantState(t, u, UpstreamState{Key: crm, InFlight: 1000})
}

// What has no slots passes: the stage decides about nothing that it does not
// know.
func TestUnknownUpstreamPasses(t *testing.T) {
	u := NewUpstreams(UpstreamsOptions{})
	stage := use(t, u, 1).Stage()(tripper(answering))
	for name, r := range map[string]func(*exchangeOf){
		"not routed":      func(e *exchangeOf) { e.Target = nil },
		"another service": func(e *exchangeOf) { e.Target.Service = "catalogs" },
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				trip(t, stage, request(t.Context(), r))
			}
		})
	}
	wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1})
}

func TestUpstreamTwice(t *testing.T) {
	u := NewUpstreams(UpstreamsOptions{})
	_, err := u.Use([]Upstream{{Key: crm, Origin: "a"}, {Key: crm, Origin: "b"}})
	if err == nil || !strings.Contains(err.Error(), "sandbox/crm is given twice") {
		t.Errorf("error %v", err)
	}
	if list := u.List(); len(list) != 0 {
		t.Errorf("kept: %+v", list)
	}
}
