package chaos_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"iqgateway/test/chaos"
)

func TestPlanRepeats(t *testing.T) {
	const length = 20 * time.Second
	a, b := chaos.NewPlan(7, length, replicas, true), chaos.NewPlan(7, length, replicas, true)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the same seed drew\n%v\nand\n%v", a, b)
	}
	if c := chaos.NewPlan(8, length, replicas, true); reflect.DeepEqual(a, c) {
		t.Error("another seed drew the same plan")
	}
}

func TestPlanKeepsItsRules(t *testing.T) {
	const length = time.Minute
	for seed := range uint64(50) {
		plan := chaos.NewPlan(seed, length, replicas, seed%2 == 0)
		revoked := 0
		for name, steps := range map[string][]chaos.Step{"replicas": plan.Replicas, "common": plan.Common} {
			seen := map[chaos.Kind]bool{}
			end := time.Duration(0)
			for _, s := range steps {
				if s.At <= end || s.At+s.For > length || s.For <= 0 {
					t.Fatalf("seed %d: %s begins before the last one ended, or ends too late", seed, s)
				}
				if (s.Replica == chaos.Everywhere) != (name == "common") || s.Replica >= replicas {
					t.Fatalf("seed %d, %s: %s", seed, name, s)
				}
				if s.Kind == chaos.TokensRevoked {
					revoked++
				}
				seen[s.Kind], end = true, s.At+s.For
			}
			if len(seen) < 15 {
				t.Errorf("seed %d, %s: only %d kinds within a minute", seed, name, len(seen))
			}
		}
		if want := int(1 - seed%2); revoked != want {
			t.Errorf("seed %d: tokens are revoked %d times, want %d", seed, revoked, want)
		}
	}
}

func TestStepTellsItself(t *testing.T) {
	s := chaos.Step{At: 1500 * time.Millisecond, For: 200 * time.Millisecond, Kind: chaos.OriginMute, Replica: 2}
	if got := strings.TrimSpace(s.String()); got != "1.500s +  200ms origin-link-mute, replica 2" {
		t.Errorf("%q", got)
	}
	s.Replica = chaos.Everywhere
	if got := s.String(); !strings.HasSuffix(got, ", all") {
		t.Errorf("%q", got)
	}
}
