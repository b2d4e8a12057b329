package cache

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"
)

// adoption is a value of the tier, and who finds it.
type adoption struct {
	name  string
	value func(o *Object) // what is put
	bytes func(b []byte) []byte
	age   time.Duration // that it has lain there
	heard time.Duration // ago, of the log
	fixed bool          // nobody can write it
	not   bool          // it is not used
	stale bool          // it is to be confirmed
}

// TestValuesOfTheTierAreChecked: only what answers the question, and nobody can
// have dropped since, is made one's own; under the reader's place and tags.
func TestValuesOfTheTierAreChecked(t *testing.T) {
	for _, tt := range []adoption{
		{name: "as it was put"},
		{name: "of another key", value: func(o *Object) { o.Key = "other" }, not: true},
		{name: "of another variant", value: func(o *Object) { o.Selected, o.Vary = "Accept: b\n", []string{"Accept"} }, not: true},
		{name: "nothing", bytes: func([]byte) []byte { return nil }, not: true},
		{name: "cut", bytes: func(b []byte) []byte { return b[:len(b)-1] }, not: true},
		{name: "dropped", value: func(o *Object) { o.Born.Seq = 6 }, not: true},
		{name: "too old", age: 2 * time.Minute, not: true, stale: true},
		{name: "the log is silent", heard: time.Second, not: true},
		{name: "the log is silent about what is never written", heard: time.Second, fixed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := New(Options{Log: struct{ Log }{}})
			defer c.Close()
			route := crmRoute("/a")
			c.index.follow(News{Position: Position{Log: "log", Seq: 7}, Events: []Event{crmEvent(DropPath, "/a")}})
			c.feed.began = time.Now().Add(-tt.heard)
			c.feed.answers.Store(0)
			now := time.Now()
			o := &Object{
				Key: "key", Selected: "Accept: a\n", Route: crmRoute("/a"), Tags: []string{"old"}, Status: http.StatusOK,
				Header: http.Header{"Etag": {`"1"`}}, Body: []byte("text"), Requested: now, Received: now,
				Born: Position{Log: "log", Seq: 7},
			}
			o.Lifetime = time.Minute
			if tt.value != nil {
				tt.value(o)
			}
			value := encode(o, now)
			if tt.bytes != nil {
				value = tt.bytes(value)
			}
			r := &run{
				store: &store{Stages: &Stages{cache: c}}, flight: &flight{tags: []string{"new"}},
				question: &question{
					service: &Service{Writable: !tt.fixed, MaxObject: 100}, route: route, key: "key", selection: selection{text: "Accept: a\n"},
				},
			}
			got := r.adopt(Entry{Value: value, Age: tt.age})
			if (got == nil) != tt.not || (r.question.stored != nil) != tt.stale {
				t.Fatalf("adopted %+v, to be confirmed %+v", got, r.question.stored)
			}
			if kept := c.memory.get("key", "Accept: a\n"); (kept == nil) != tt.not {
				t.Errorf("in memory: %+v", kept)
			}
			if got != nil && (got.Route != route || !slices.Equal(got.Tags, []string{"new"})) {
				t.Errorf("it stands at %+v %v", got.Route, got.Tags)
			}
		})
	}
}

// sickTier fails, and notes for how long a value was to be kept.
type sickTier struct{ ttl *time.Duration }

// Get implements [Tier].
func (sickTier) Get(context.Context, string) (Entry, error) { return Entry{}, ErrAway }

// Claim implements [Tier].
func (sickTier) Claim(context.Context, string, time.Duration) (string, bool, error) {
	return "", false, ErrAway
}

// Renew implements [Tier].
func (sickTier) Renew(context.Context, string, string, time.Duration) (bool, error) {
	return false, ErrAway
}

// Put implements [Tier].
func (s sickTier) Put(_ context.Context, _ string, _ []byte, ttl time.Duration, _ string) error {
	*s.ttl = ttl
	return ErrAway
}

// Release implements [Tier].
func (sickTier) Release(context.Context, string, string, time.Duration) error { return ErrAway }

// Delete implements [Tier].
func (sickTier) Delete(context.Context, string) error { return ErrAway }

// TestTheTierKeeps what can be used, for as long as that is; and what it does not
// take is told.
func TestTheTierKeeps(t *testing.T) {
	for _, tt := range []struct {
		name                            string
		age, fresh, revalidate, onError time.Duration
		want                            time.Duration
	}{
		{"while it is fresh", 0, time.Minute, 0, 0, time.Minute},
		{"what is left of it", 10 * time.Second, time.Minute, 0, 0, 50 * time.Second},
		{"while it may be refreshed", 0, time.Minute, time.Hour, 0, time.Hour + time.Minute},
		{"while it stands in for errors", 0, time.Minute, time.Minute, time.Hour, time.Hour + time.Minute},
		{"to be confirmed", 0, 0, 0, 0, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ttl time.Duration
			var told []string
			now := time.Now()
			c := New(Options{
				Log: struct{ Log }{}, Tier: sickTier{&ttl}, Now: func() time.Time { return now },
				Hooks: Hooks{TierFailed: func(op string, _ error) { told = append(told, op) }},
			})
			defer c.Close()
			c.index.follow(News{Position: Position{Log: "log", Seq: 7}})
			r := &run{store: &store{Stages: &Stages{cache: c}}, flight: &flight{}, question: &question{}, ctx: t.Context()}
			if o := r.fromTier(); o != nil {
				t.Errorf("it had %+v", o)
			}
			if won, err := r.claimed(); won || err == nil {
				t.Errorf("claimed: %v, %v", won, err)
			}
			r.claim.Store(&claim{"token", make(chan struct{})})
			r.release(0)
			o := &Object{Status: http.StatusOK, Received: now, Requested: now, Age: tt.age, Born: c.index.position()}
			o.Lifetime, o.WhileRevalidate, o.IfError = tt.fresh, tt.revalidate, tt.onError
			r.toTier(o)
			if ttl != tt.want {
				t.Errorf("kept for %v, want %v", ttl, tt.want)
			}
			if want := []string{"get", "claim", "release", "put"}; !slices.Equal(told, want) {
				t.Errorf("told of %v, want %v", told, want)
			}
		})
	}
}
