package redisstore_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/usage"
	"iqgateway/usage/redisstore"
	"iqgateway/usage/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newStore(t *testing.T, topology redistest.Topology) *redisstore.Store {
	t.Helper()
	return redisstore.New(redistest.Connect(t, topology, redisconn.Options{Timeout: redistest.Generous}))
}

func names(n int) usage.Names {
	return usage.Names{Environment: "canary-env", Service: "canary-service", Caller: fmt.Sprint("canary-", n), Credential: ""}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const day = usage.Day(21_000)

func TestStoreKeepsTheContract(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		stores := storetest.Fleet{newStore(t, topology), newStore(t, topology), newStore(t, topology)}
		storetest.Run(t, func(t *testing.T) storetest.Fleet {
			topology.FlushAll(t)
			return stores
		})
		topology.NoEternalKeys(t)
	})
}

// A name that is not configured any more is told as the beginning of its hash.
func TestNamesThatAreGone(t *testing.T) {
	s := newStore(t, redistest.Single(t))
	must(t, s.Add(t.Context(), usage.Batch{Writer: "one", Seq: 1, Day: day, Counts: map[usage.Names]usage.Counts{names(1): {Hits: 1}}}))
	days, err := s.Read(t.Context(), day, day, []string{"canary-env", "canary-service"})
	must(t, err)
	for n, c := range days[day] {
		if !strings.HasPrefix(n.Caller, "(gone ") || n.Service != "canary-service" || c.Hits != 1 {
			t.Errorf("%+v: %+v", n, c)
		}
	}
	if len(days[day]) != 1 {
		t.Errorf("%v", days)
	}
}

func TestNamesDoNotStandInRedis(t *testing.T) {
	server := redistest.Single(t)
	b := usage.Batch{Writer: "canary-writer", Seq: 1, Day: day, Counts: map[usage.Names]usage.Counts{names(1): {Requests: 1}}}
	must(t, newStore(t, server).Add(t.Context(), b))
	for key, value := range server.Dump(t) {
		for _, canary := range []string{"canary-env", "canary-service", "canary-1", "canary-writer"} {
			for _, form := range redistest.Disguises(canary) {
				if strings.Contains(key+value, form) {
					t.Errorf("%q in %s = %s", form, key, value)
				}
			}
		}
	}
}

// Names without end are bounded for the fleet, and no count is lost.
func TestADayIsBounded(t *testing.T) {
	s := newStore(t, redistest.Single(t))
	const batches, each = 70, 200
	for i := range batches {
		b := usage.Batch{Writer: "one", Seq: int64(i + 1), Day: day, Counts: map[usage.Names]usage.Counts{}}
		for n := range each {
			b.Counts[names(i*each+n)] = usage.Counts{Requests: 1}
		}
		must(t, s.Add(t.Context(), b))
	}
	days, err := s.Read(t.Context(), day, day, nil)
	must(t, err)
	sum := int64(0)
	for _, c := range days[day] {
		sum += c.Requests
	}
	rest := days[day][usage.Names{Environment: usage.Rest, Service: usage.Rest, Caller: usage.Rest, Credential: usage.Rest}]
	if sum != batches*each || len(days[day]) > usage.MaxKeys*6+1 || rest.Requests == 0 {
		t.Errorf("%d in %d names, the rest has %d; want %d", sum, len(days[day]), rest.Requests, batches*each)
	}
}
