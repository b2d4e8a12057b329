package redisstore_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"iqgateway/internal/redistest"
)

// storage is what the library finds by assertion, too.
type storage interface {
	certmagic.Storage
	certmagic.TryLocker
}

// What the library's own files do, the store in Redis does: the same suite runs
// against both.
func TestStorageKeepsTheContract(t *testing.T) {
	t.Parallel()
	t.Run("files", func(t *testing.T) {
		accept(t, func(t *testing.T) [2]storage {
			dir := t.TempDir()
			return [2]storage{&certmagic.FileStorage{Path: dir}, &certmagic.FileStorage{Path: dir}}
		})
	})
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		accept(t, func(t *testing.T) [2]storage {
			t.Cleanup(func() { topology.NoEternalKeys(t) })
			topology.FlushAll(t)
			return [2]storage{one, two}
		})
		for i, r := range []*replica{one, two} {
			if odd := r.seen.String(); odd != "" {
				t.Errorf("store %d counted %s", i, odd)
			}
		}
	})
}

// accept is the suite; what one of the two stores, the other finds.
func accept(t *testing.T, open func(*testing.T) [2]storage) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, [2]storage){
		"values": acceptValues, "absence": acceptAbsence, "lists": acceptLists, "deletion": acceptDeletion,
		"locks": acceptLocks, "exclusion": acceptExclusion,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func put(t *testing.T, s storage, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := s.Store(t.Context(), key, []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
}

func acceptValues(t *testing.T, s [2]storage) {
	put(t, s[0], "a/b/c.txt")
	began := time.Now().Add(-time.Minute)
	for _, value := range []string{"", "one", "two\x00\xff", strings.Repeat("x", 20<<10)} {
		if err := s[0].Store(t.Context(), "a/b/c.txt", []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := s[1].Load(t.Context(), "a/b/c.txt"); err != nil || string(got) != value {
			t.Errorf("loaded %d bytes, %v; want %d", len(got), err, len(value))
		}
		info, err := s[1].Stat(t.Context(), "a/b/c.txt")
		if err != nil || info.Key != "a/b/c.txt" || info.Size != int64(len(value)) || !info.IsTerminal || info.Modified.Before(began) {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if info, err := s[1].Stat(t.Context(), "a/b"); err != nil || info.IsTerminal {
		t.Errorf("a directory: %+v, %v", info, err)
	}
	for _, key := range []string{"a", "a/b", "a/b/c.txt"} {
		if !s[1].Exists(t.Context(), key) {
			t.Errorf("%s does not exist", key)
		}
	}
}

func acceptAbsence(t *testing.T, s [2]storage) {
	put(t, s[0], "ab/c.txt")
	for _, key := range []string{"a", "ab/c", "ab/c.txt.old", "x/y"} {
		_, loadErr := s[1].Load(t.Context(), key)
		_, statErr := s[1].Stat(t.Context(), key)
		_, listErr := s[1].List(t.Context(), key, true)
		for what, err := range map[string]error{"Load": loadErr, "Stat": statErr, "List": listErr} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s of %s: %v", what, key, err)
			}
		}
		if s[1].Exists(t.Context(), key) {
			t.Errorf("%s exists", key)
		}
		if err := s[1].Delete(t.Context(), key); err != nil {
			t.Errorf("Delete of %s: %v", key, err)
		}
	}
}

func acceptLists(t *testing.T, s [2]storage) {
	put(t, s[0], "certs/ca/a/a.crt", "certs/ca/a/a.key", "certs/ca/b/b.crt", "certs/top.json", "certsx/no.txt")
	for _, tt := range []struct {
		prefix    string
		recursive bool
		want      string
	}{
		{"certs", true, "certs/ca certs/ca/a certs/ca/a/a.crt certs/ca/a/a.key certs/ca/b certs/ca/b/b.crt certs/top.json"},
		{"certs", false, "certs/ca certs/top.json"},
		{"certs/ca", false, "certs/ca/a certs/ca/b"},
		{"certs/ca/a", true, "certs/ca/a/a.crt certs/ca/a/a.key"},
		{"certs/top.json", true, ""},
		{"", false, "certs certsx"},
	} {
		got, err := s[1].List(t.Context(), tt.prefix, tt.recursive)
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("List(%q, %t): %v, %v; want %s", tt.prefix, tt.recursive, got, err, tt.want)
		}
	}
}

func acceptDeletion(t *testing.T, s [2]storage) {
	put(t, s[0], "d/a/1", "d/a/2", "d/ab", "e")
	for _, step := range []struct{ key, left string }{{"d/a", "d d/ab e"}, {"e", "d d/ab"}, {"e", "d d/ab"}} {
		if err := s[1].Delete(t.Context(), step.key); err != nil {
			t.Fatal(err)
		}
		got, err := s[0].List(t.Context(), "", true)
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != step.left {
			t.Errorf("after Delete of %s: %v, %v; want %s", step.key, got, err, step.left)
		}
		if s[0].Exists(t.Context(), step.key) {
			t.Errorf("%s exists", step.key)
		}
	}
}

func acceptLocks(t *testing.T, s [2]storage) {
	ctx := t.Context()
	if err := s[0].Lock(ctx, "issue_cert_a"); err != nil {
		t.Fatal(err)
	}
	if err := s[0].Lock(ctx, "issue_cert_b"); err != nil {
		t.Errorf("locks of two names exclude each other: %v", err)
	}
	for i := range s {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		if err := s[i].Lock(short, "issue_cert_a"); err == nil {
			t.Errorf("store %d has locked what is locked", i)
		}
		cancel()
	}
	if err := s[0].Unlock(ctx, "issue_cert_a"); err != nil {
		t.Error(err)
	}
	if got, err := s[1].TryLock(ctx, "issue_cert_a"); err != nil || !got {
		t.Errorf("TryLock of what is free: %t, %v", got, err)
	}
	if err := s[1].Unlock(ctx, "issue_cert_a"); err != nil {
		t.Error(err)
	}
	if err := s[0].Unlock(ctx, "issue_cert_b"); err != nil {
		t.Error(err)
	}
}

// Many that want the same lock get it one after the other.
func acceptExclusion(t *testing.T, s [2]storage) {
	var inside, most int
	var mu sync.Mutex
	var all sync.WaitGroup
	enter := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		inside += by
		most = max(most, inside)
	}
	for i := range 3 {
		all.Go(func() {
			if err := s[i%2].Lock(t.Context(), "one"); err != nil {
				t.Error(err)
				return
			}
			enter(1)
			put(t, s[i%2], "inside")
			enter(-1)
			if err := s[i%2].Unlock(t.Context(), "one"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d held the lock at once", most)
	}
}
