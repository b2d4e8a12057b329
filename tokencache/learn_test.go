package tokencache

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/secret"
)

// shown is a Store that shows one state and gives no claim.
type shown struct {
	mu    sync.Mutex
	state Shared
}

func (s *shown) show(state Shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

func (s *shown) Load(context.Context, StoreKey) (Shared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, nil
}

func (s *shown) Claim(ctx context.Context, key StoreKey) (Claim, Shared, error) {
	state, err := s.Load(ctx, key)
	return nil, state, err
}

func (s *shown) Accepted(context.Context, StoreKey, uint64) error  { return nil }
func (s *shown) Forget(context.Context, StoreKey, Forgotten) error { return nil }

func sharedToken(generation uint64, left time.Duration) Shared {
	now := time.Now()
	return Shared{Generation: generation, Token: SharedToken{
		Field: secret.New("Bearer " + canaryToken), Holder: "gw-2",
		Issued: now.Add(-time.Minute), Expires: now.Add(left),
	}}
}

// What a store shows is believed only as far as it can be used.
func TestOddSharedTokens(t *testing.T) {
	year := 365 * 24 * time.Hour
	cases := map[string]struct {
		change func(*Shared)
		want   time.Duration // left of the adopted token; 0 = none is adopted
	}{
		"sound":                {func(*Shared) {}, time.Hour},
		"no generation":        {func(s *Shared) { s.Generation = 0 }, 0},
		"no field":             {func(s *Shared) { s.Token.Field = secret.Text{} }, 0},
		"another scheme":       {func(s *Shared) { s.Token.Field = secret.New("Basic eA==") }, 0},
		"two lines":            {func(s *Shared) { s.Token.Field = secret.New("Bearer a\r\nX: b") }, 0},
		"huge":                 {func(s *Shared) { s.Token.Field = secret.New("Bearer " + strings.Repeat("a", 1<<20)) }, 0},
		"expired":              {func(s *Shared) { s.Token.Expires = time.Now().Add(-time.Second) }, 0},
		"almost expired":       {func(s *Shared) { s.Token.Expires = time.Now().Add(time.Second) }, 0},
		"expires before issue": {func(s *Shared) { s.Token.Issued = s.Token.Expires.Add(time.Second) }, 0},
		"no times":             {func(s *Shared) { s.Token.Issued, s.Token.Expires = time.Time{}, time.Time{} }, 0},
		"valid for a year":     {func(s *Shared) { s.Token.Expires = time.Now().Add(year) }, 24*time.Hour - time.Minute},
		"issued in the future": {func(s *Shared) { s.Token.Issued = time.Now().Add(30 * time.Minute) }, time.Hour},
		"wall clock only": {func(s *Shared) {
			s.Token.Issued, s.Token.Expires = s.Token.Issued.Round(0), s.Token.Expires.Round(0)
		}, time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			adopted := 0
			o := Options{Store: &shown{}, Hooks: Hooks{Adopted: func(AdoptInfo) { adopted++ }}}
			inBubble(t, o, &idp{}, nil, func(t *testing.T, e *entry, _ *Set) {
				s := sharedToken(7, time.Hour)
				c.change(&s)
				e.learn(t.Context(), e.key, s, time.Now())
				got := e.current.Load()
				switch {
				case c.want == 0 && (got != nil || adopted != 0):
					t.Errorf("adopted with %s left", got.life.left(time.Now()))
				case c.want != 0 && (got == nil || adopted != 1 || got.life.left(time.Now()) != c.want || got.generation() != 7):
					t.Errorf("not adopted as it should be: %+v", got)
				}
			})
		})
	}
}

// A store's answer that was asked for before an operator dropped the token, or
// with earlier secrets, brings nothing back.
func TestLateAnswersOfTheStore(t *testing.T) {
	inBubble(t, Options{Store: &shown{}}, &idp{}, nil, func(t *testing.T, e *entry, _ *Set) {
		asked := time.Now()
		pass(time.Millisecond)
		e.invalidate(t.Context())
		e.learn(t.Context(), e.key, sharedToken(7, time.Hour), asked)
		if e.current.Load() != nil {
			t.Error("an invalidated token is back")
		}
		old := e.key
		fresh := testSecrets()
		fresh.Password = secret.New("new")
		e.rotate(fresh)
		e.learn(t.Context(), old, sharedToken(8, time.Hour), time.Now())
		if e.current.Load() != nil {
			t.Error("a token of earlier secrets")
		}
		e.learn(t.Context(), e.key, sharedToken(7, time.Hour), time.Now())
		if e.current.Load() == nil {
			t.Error("no token of the new secrets")
		}
	})
}

// While another replica holds the claim and brings nothing, callers wait for
// as long as a fetch may take, and then this replica asks by itself.
func TestHolderBringsNothing(t *testing.T) {
	endpoint := &idp{}
	inBubble(t, Options{Store: &shown{}, FetchTimeout: 3 * time.Second}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		since := time.Now()
		wantToken(t, e, 1)
		if took := time.Since(since); took < 3*time.Second || took > 3500*time.Millisecond || endpoint.count() != 1 {
			t.Errorf("%d calls after %s", endpoint.count(), took)
		}
	})
}

// What another replica was told by the endpoint is told here, too.
func TestFailureOfTheHolder(t *testing.T) {
	store := &shown{}
	endpoint := &idp{}
	inBubble(t, Options{Store: store}, endpoint, nil, func(t *testing.T, e *entry, s *Set) {
		failed := make(chan error)
		go func() { _, err := acquired(e.acquire(t.Context())); failed <- err }()
		pass(time.Second)
		store.show(Shared{History: History{}.failed(time.Now(), &FetchError{text: "status 503"})})
		since := time.Now()
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "status 503") || time.Since(since) > 100*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(since))
		}
		if got := s.Status()[0]; got.State != StateFailing || endpoint.count() != 0 {
			t.Errorf("%+v after %d calls", got, endpoint.count())
		}
	})
}
