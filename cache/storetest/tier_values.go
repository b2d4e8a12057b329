package storetest

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/cache"
)

func tierEmpty(t *testing.T, s *shelf) {
	s.want("x", cache.Entry{})
	if err := s.tiers[0].Delete(t.Context(), s.name("x")); err != nil {
		t.Errorf("deleting nothing: %v", err)
	}
	s.release(0, "x", "no such token", 0)
	s.want("x", cache.Entry{})
}

func tierValues(_ *testing.T, s *shelf) {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	for name, value := range map[string]string{
		"one": "\x00", "text": "text", "binary": string(binary), "same": strings.Repeat("a", 100_000), "large": strings.Repeat(string(binary), 4096),
	} {
		mine := []byte(value)
		s.must("put", s.tiers[0].Put(s.t.Context(), s.name(name), mine, long, ""))
		clear(mine) // it belongs to the caller again
		s.want(name, cache.Entry{Value: []byte(value)})
	}
}

func tierReplaced(_ *testing.T, s *shelf) {
	s.put(0, "x", "the first, which is longer", long, "")
	s.put(1, "x", "second", long, "")
	s.want("x", cache.Entry{Value: []byte("second")})
}

func tierNames(_ *testing.T, s *shelf) {
	names := []string{"", "a", "A", "a\x00", "\x00a", "a:b", "a{b}", "*", "a*", "ä", "\xff\xfe", strings.Repeat("k", 16<<10), strings.Repeat("k", 16<<10) + "2"}
	for i, name := range names {
		s.put(i%3, name, "value of "+name, long, "")
	}
	for _, name := range names {
		s.want(name, cache.Entry{Value: []byte("value of " + name)})
	}
	s.must("delete", s.tiers[0].Delete(s.t.Context(), s.name("a*")))
	s.claims(0, "A", long)
	s.want("a", cache.Entry{Value: []byte("value of a")})
}

func tierTTL(t *testing.T, s *shelf) {
	s.put(0, "stays", "y", long, "")
	s.put(0, "never", "n", 0, "")
	s.put(0, "never", "n", -time.Second, "")
	s.want("never", cache.Entry{})
	begun := time.Now()
	s.put(0, "goes", "x", 400*time.Millisecond, "")
	if e := s.get(1, "goes"); e.Value == nil && time.Since(begun) < 300*time.Millisecond {
		t.Error("gone before its time")
	}
	eventually(t, "the value ends", func() bool { return s.get(1, "goes").Value == nil })
	if lived := time.Since(begun); lived < 390*time.Millisecond || lived > 4*time.Second {
		t.Errorf("a value for 400 ms lived for %v", lived)
	}
	s.want("stays", cache.Entry{Value: []byte("y")})
}

func tierAge(t *testing.T, s *shelf) {
	before := time.Now()
	s.put(0, "x", "v", long, "")
	after := time.Now()
	pause(t, 300*time.Millisecond)
	least := time.Since(after)
	got := s.get(1, "x").Age
	if most := time.Since(before); got < least-20*time.Millisecond || got > most+20*time.Millisecond {
		t.Errorf("put between %v and %v ago, it has an age of %v", least, most, got)
	}
	before = time.Now()
	s.put(2, "x", "v", long, "")
	if got := s.get(1, "x").Age; got > time.Since(before)+20*time.Millisecond {
		t.Errorf("put again just now, it has an age of %v", got)
	}
}

func tierDelete(_ *testing.T, s *shelf) {
	s.put(0, "x", "v", long, "")
	s.claims(1, "x", long)
	s.must("delete", s.tiers[2].Delete(s.t.Context(), s.name("x")))
	s.want("x", cache.Entry{Claimed: true})
}

func tierTorn(t *testing.T, s *shelf) {
	var writers sync.WaitGroup
	for i := range s.tiers {
		writers.Go(func() {
			for n := range 30 {
				value := bytes.Repeat([]byte{byte('a' + i)}, 5000+n)
				if err := s.tiers[i].Put(t.Context(), s.name("x"), value, long, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 60 {
		v := s.get(0, "x").Value
		if v != nil && (len(v) < 5000 || bytes.Count(v, v[:1]) != len(v)) {
			t.Fatalf("%d bytes, of which %d are %q", len(v), bytes.Count(v, v[:1]), v[0])
		}
	}
	writers.Wait()
}

func tierContext(t *testing.T, s *shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tier, name := s.tiers[0], s.name("x")
	for what, call := range map[string]func() error{
		"get":     func() error { _, err := tier.Get(ctx, name); return err },
		"claim":   func() error { _, ok, err := tier.Claim(ctx, name, long); return unless(ok, err) },
		"renew":   func() error { ok, err := tier.Renew(ctx, name, "token", long); return unless(ok, err) },
		"put":     func() error { return tier.Put(ctx, name, []byte("v"), long, "") },
		"release": func() error { return tier.Release(ctx, name, "token", 0) },
		"delete":  func() error { return tier.Delete(ctx, name) },
	} {
		begun := time.Now()
		if err := call(); err == nil {
			t.Errorf("%s: no error after the end of its context", what)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%s took %v after the end of its context", what, took)
		}
	}
}

// unless hides an error that comes with a success.
func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}
