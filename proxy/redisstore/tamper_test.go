package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
	"iqgateway/proxy"
)

// Whoever can write to Redis can make replicas forget, and nothing else.
func TestTamperedValuesAreMisses(t *testing.T) {
	other := aKey
	other.Credential = "wholesale"
	tests := map[string]struct {
		tamper func(t *testing.T, r *replica)
		told   string
	}{
		"a changed letter": {func(t *testing.T, r *replica) {
			_, value := r.fields(aKey)
			text := []byte(r.get(t, value))
			letter := &text[len(text)/2] // another one of the same alphabet
			*letter = map[bool]byte{true: 'B', false: 'A'}[*letter == 'A']
			r.set(t, value, string(text))
		}, "session tampered"},
		"another's value": {func(t *testing.T, r *replica) {
			theirVersion, theirs := r.fields(other)
			version, value := r.fields(aKey)
			r.set(t, value, r.get(t, theirs))
			r.set(t, version, r.get(t, theirVersion))
		}, "session tampered"},
		"yesterday's value": {func(t *testing.T, r *replica) {
			_, value := r.fields(aKey)
			old := r.get(t, value)
			r.put(t, aKey, cookies("new"))
			r.set(t, value, old)
		}, "session tampered"},
		"another version": {func(t *testing.T, r *replica) {
			version, _ := r.fields(aKey)
			r.set(t, version, "1"+r.get(t, version))
		}, "session tampered"},
		"no version": {func(t *testing.T, r *replica) {
			version, _ := r.fields(aKey)
			r.set(t, version, "nonsense")
		}, "session tampered"},
		"no sealed value": {func(t *testing.T, r *replica) {
			_, value := r.fields(aKey)
			r.set(t, value, `{"format":1}`)
		}, "session malformed"},
		"another prefix": {func(t *testing.T, r *replica) {
			staging := newReplica(t, r.topology(), "staging")
			staging.put(t, aKey, cookies("staging"))
			fromVersion, from := staging.fields(aKey)
			version, value := r.fields(aKey)
			r.set(t, value, r.get(t, from))
			r.set(t, version, r.get(t, fromVersion))
		}, "session tampered"},
	}
	server := redistest.Single(t)
	for name, tt := range tests {
		server.FlushAll(t)
		r := newReplica(t, server, "")
		r.topology = func() redistest.Topology { return server }
		r.put(t, aKey, cookies("mine"))
		r.put(t, other, cookies("theirs"))
		tt.tamper(t, r)
		if got := r.load(t, aKey); len(got.Cookies) != 0 || r.count(tt.told) != 1 {
			t.Errorf("%s: %s, told %v", name, names(got), r.told)
		}
		r.put(t, aKey, cookies("again"))
		if got := names(r.load(t, aKey)); got != "s=again" {
			t.Errorf("%s: %q after the next update", name, got)
		}
	}
}

func (r *replica) get(t testing.TB, key string) (text string) {
	t.Helper()
	r.raw(t, func(ctx context.Context, c redis.UniversalClient) (err error) {
		text, err = c.Get(ctx, key).Result()
		return err
	})
	return text
}

func (r *replica) set(t testing.TB, key, text string) {
	t.Helper()
	r.raw(t, func(ctx context.Context, c redis.UniversalClient) error {
		return c.Set(ctx, key, text, time.Minute).Err()
	})
}

// A change sees an empty session where the stored one cannot be used.
func TestUpdateOverATamperedValue(t *testing.T) {
	r := newReplica(t, redistest.Single(t), "")
	r.put(t, aKey, cookies("1"))
	_, value := r.fields(aKey)
	r.set(t, value, "junk")
	var before []string
	_, err := r.Update(t.Context(), aKey, func(s proxy.SharedSession) proxy.SharedSession {
		before = append(before, names(s))
		return cookies("2")
	})
	if err != nil || len(before) != 1 || before[0] != "" {
		t.Errorf("changed %q, %v", before, err)
	}
}
