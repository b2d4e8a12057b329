package redisstore_test

import (
	"context"
	"testing"

	"iqgateway/internal/redistest"
	"iqgateway/limiter"
)

func TestEveryMethodIsOneRoundTrip(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, redistest.Generous)
	key := bucket("main")
	seq := int64(0)
	methods := []struct {
		name string
		call func(ctx context.Context) error
	}{
		{"Acquire", func(ctx context.Context) error {
			seq++
			_, err := r.Acquire(ctx, key, limiter.Ask{Replica: "r", Seq: seq})
			return err
		}},
		{"View", func(ctx context.Context) error { _, err := r.View(ctx, key, nil); return err }},
		{"Block", func(ctx context.Context) error { return r.Block(ctx, key, 0, "") }},
	}
	for _, known := range []string{"calls=1", ""} { // the first round tells Redis the scripts
		for _, m := range methods {
			server.CLI(t, "CONFIG", "RESETSTAT")
			if err := m.call(t.Context()); err != nil {
				t.Fatalf("%s: %v", m.name, err)
			}
			if byHash, byText := server.ScriptCalls(t); byHash != "calls=1" || byText != known {
				t.Errorf("%s: EVALSHA %s, EVAL %s, want %q", m.name, byHash, byText, known)
			}
		}
	}
}

// Redis itself counts the trips of a bucket, so that they can be compared with
// its requests. Repeated asks are trips, too.
func TestTripsAreCountedInRedis(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, redistest.Generous)
	side := newSide(t, r, bucket("main"))
	for range 5 {
		side.tell()
	}
	ask := side.ask
	for range 2 {
		must[limiter.Answer](t)(r.Acquire(t.Context(), side.key, ask))
	}
	must[limiter.Snapshot](t)(r.View(t.Context(), side.key, nil))
	text := must[string](t)(redistest.Client(t, topology).Get(t.Context(), r.name(side.key, "state")).Result())
	if trips := packedState(t, text).(map[string]any)["Trips"]; trips != 7.0 {
		t.Errorf("%v trips, want 7", trips)
	}
}
