package redisstore_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"iqgateway/cache/redisstore"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
)

func TestWithoutKeysThereIsNoTier(t *testing.T) {
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	tier, err := redisstore.NewTier(conn, redisstore.TierOptions{})
	if tier != nil || !errors.Is(err, redisconn.ErrNoKeys) || !strings.Contains(err.Error(), "redis.encryption_keys") {
		t.Errorf("%v, %v", tier, err)
	}
}

func TestValuesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		random := make([]byte, 100_000)
		_, _ = rand.Read(random)
		for name, value := range map[string][]byte{
			"empty": {}, "short": []byte("x"), "limit": bytes.Repeat([]byte("a"), 1024), "text": bytes.Repeat([]byte("abc"), 50_000),
			"random": random, "": []byte("no name"), "long name" + strings.Repeat("n", 10_000): []byte("y"),
		} {
			if e := two.mustGet(t, name); e.Value != nil || e.Claimed || e.Alone {
				t.Errorf("%.20q: %+v before it was put", name, e)
			}
			one.mustPut(t, name, string(value), "")
			e := two.mustGet(t, name)
			if e.Value == nil || !bytes.Equal(e.Value, value) || e.Claimed || e.Alone {
				t.Errorf("%.20q: %d bytes, want %d; %v %v", name, len(e.Value), len(value), e.Claimed, e.Alone)
			}
			if e.Age < 0 || e.Age > 10*time.Second {
				t.Errorf("%.20q: age %v", name, e.Age)
			}
			if err := two.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if e := one.mustGet(t, name); e.Value != nil {
				t.Errorf("%.20q: still there", name)
			}
		}
		topology.NoEternalKeys(t)
		for _, r := range []*replica{one, two} {
			if odd := r.seen.String(); odd != "" {
				t.Errorf("counted %s", odd)
			}
		}
	})
}

// Text is compressed, and what does not get smaller is not.
func TestValuesAreCompressedWhereItHelps(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, setup{})
	client := redistest.Client(t, server)
	random := make([]byte, 30_000)
	_, _ = rand.Read(random)
	for name, want := range map[string]struct {
		value string
		least int64
		most  int64
	}{
		"json":   {strings.Repeat(`{"Id":1,"Name":"Product"},`, 2000), 100, 2_000},
		"random": {string(random), 40_000, 40_200},
		"short":  {strings.Repeat("a", 1024), 1366, 1500},
	} {
		r.mustPut(t, name, want.value, "")
		if n := client.StrLen(t.Context(), r.name(name, "value")).Val(); n < want.least || n > want.most {
			t.Errorf("%s: %d bytes of %d, want %d to %d", name, n, len(want.value), want.least, want.most)
		}
	}
}

func TestWhatIsTooLargeIsNotPut(t *testing.T) {
	server := redistest.Single(t)
	small, large := newReplica(t, server, setup{maxValue: 4000}), newReplica(t, server, setup{})
	random := make([]byte, 3500) // sealed it is larger than 4000
	_, _ = rand.Read(random)
	for name, value := range map[string]string{"as given": strings.Repeat("a", 4001), "as stored": string(random)} {
		small.mustPut(t, name, "old", "")
		token := small.mustClaim(t, name)
		before := small.seen.Of("oversize")
		small.mustPut(t, name, value, token)
		if e := large.mustGet(t, name); e.Value != nil || e.Claimed || !e.Alone {
			t.Errorf("%s: %+v", name, e)
		}
		if n := small.seen.Of("oversize") - before; n != 1 {
			t.Errorf("%s: told %d times", name, n)
		}
	}
	// What a replica with another bound has put is none of this one's.
	large.mustPut(t, "theirs", strings.Repeat("a", 4001), "")
	if e := small.mustGet(t, "theirs"); e.Value != nil || small.seen.Of("value size") != 1 {
		t.Errorf("%d bytes, counted %v", len(e.Value), small.seen)
	}
	server.NoEternalKeys(t)
}

func TestAClaimIsOnesOwn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		const name = "product"
		token := one.mustClaim(t, name)
		for _, r := range []*replica{one, two} { // claims of one process exclude each other, too
			if other, ok, err := r.Claim(t.Context(), name, time.Minute); ok || other != "" || err != nil {
				t.Errorf("claimed twice: %q %v", other, err)
			}
		}
		for _, foreign := range []string{"", "x", token + "x"} {
			if ok := must[bool](t)(two.Renew(t.Context(), name, foreign, time.Minute)); ok {
				t.Errorf("renewed with %q", foreign)
			}
			if err := two.Release(t.Context(), name, foreign, 0); err != nil {
				t.Fatal(err)
			}
			two.mustPut(t, name, "theirs", foreign)
			if e := two.mustGet(t, name); !e.Claimed || string(e.Value) != "theirs" {
				t.Errorf("%q ended the claim: %+v", foreign, e)
			}
		}
		if ok := must[bool](t)(one.Renew(t.Context(), name, token, time.Minute)); !ok {
			t.Error("not renewed")
		}
		one.mustPut(t, name, "mine", token)
		if e := two.mustGet(t, name); e.Claimed || e.Alone || string(e.Value) != "mine" {
			t.Errorf("after the put: %+v", e)
		}
		if ok := must[bool](t)(one.Renew(t.Context(), name, token, time.Minute)); ok || two.isClaimed(t, name) {
			t.Error("renewed after its end")
		}
		if err := two.Release(t.Context(), name, two.mustClaim(t, name), time.Minute); err != nil {
			t.Fatal(err)
		}
		if e := one.mustGet(t, name); e.Claimed || !e.Alone || string(e.Value) != "mine" {
			t.Errorf("after the release: %+v", e)
		}
		topology.NoEternalKeys(t)
	})
}

func TestClaimsAndValuesEnd(t *testing.T) {
	server := redistest.Single(t)
	one, two := newReplica(t, server, setup{}), newReplica(t, server, setup{})
	if _, ok, err := one.Claim(t.Context(), "a", 50*time.Millisecond); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := one.Put(t.Context(), "b", []byte("x"), 50*time.Millisecond, ""); err != nil {
		t.Fatal(err)
	}
	if err := one.Release(t.Context(), "c", "", 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, "all ends", func() bool {
		return !two.isClaimed(t, "a") && two.mustGet(t, "b").Value == nil && !two.mustGet(t, "c").Alone
	})
	two.mustClaim(t, "a")
	if err := one.Put(t.Context(), "d", []byte("x"), 0, ""); err != nil || two.mustGet(t, "d").Value != nil {
		t.Errorf("a value without a life: %v", err)
	}
	if err := one.Put(t.Context(), "e", []byte("x"), 1<<62, ""); err != nil || two.mustGet(t, "e").Value == nil {
		t.Errorf("a value with the longest life: %v", err)
	}
	if ttl := redistest.Client(t, server).PTTL(t.Context(), one.name("e", "value")).Val(); ttl > 31*24*time.Hour {
		t.Errorf("it lives for %v", ttl)
	}
}

// Age counts on Redis' clock, whatever those of the replicas show.
func TestAgeIsThatOfRedisClock(t *testing.T) {
	server := redistest.Single(t)
	offset := func(by time.Duration) setup {
		return setup{now: func() time.Time { return time.Now().Add(by) }}
	}
	one, two := newReplica(t, server, offset(48*time.Hour)), newReplica(t, server, offset(-48*time.Hour))
	one.mustPut(t, "a", "x", "")
	began := time.Now()
	redistest.Eventually(t, "it ages", func() bool { return two.mustGet(t, "a").Age >= 100*time.Millisecond })
	if age, most := two.mustGet(t, "a").Age, time.Since(began)+time.Second; age > most {
		t.Errorf("age %v, at most %v", age, most)
	}
}

func TestNewKeysAndOldOnes(t *testing.T) {
	server := redistest.Single(t)
	one, two := newReplica(t, server, setup{}), newReplica(t, server, setup{})
	one.mustPut(t, "a", "x", "")
	replace(t, two.ring, 'z')
	if e := two.mustGet(t, "a"); e.Value != nil || two.seen.Of("cache unknown_key") != 1 {
		t.Errorf("%+v, counted %v", e, two.seen)
	}
	if e := one.mustGet(t, "a"); string(e.Value) != "x" {
		t.Error("who lacks a key removes what others can read")
	}
	replace(t, two.ring, 'z', 'k')
	if e := two.mustGet(t, "a"); string(e.Value) != "x" {
		t.Errorf("%+v", e)
	}
}
