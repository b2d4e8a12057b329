package retry

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"iqgateway/internal/exchange"
)

// What was spent outlives the configuration, but not the upstream's address.
func TestBudgetsOutliveConfigurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := defaults()
		s.Budget = 0.1
		budgets := New(Options{})
		retries := func(set *Set) int {
			_, ex, err := get().send(t, set.Stage(StageOptions{Kind: kindOf})(&below{do: always(status(503))}))
			if err != nil {
				t.Fatal(err)
			}
			return ex.Retries
		}
		use := func(origin string) *Set {
			set, err := budgets.Use([]Upstream{{Key: crm, Origin: origin, Settings: s}})
			if err != nil {
				t.Fatal(err)
			}
			return set
		}
		first := use("https://crm.example")
		if n := retries(first); n != 1 {
			t.Fatalf("%d retries", n)
		}
		second := use("https://crm.example")
		first.Release()
		first.Release() // changes nothing
		if n := retries(second); n != 0 {
			t.Errorf("a new configuration has a new budget: %d retries", n)
		}
		moved := use("https://elsewhere.example")
		if n := retries(moved); n != 1 {
			t.Errorf("another upstream has the old budget: %d retries", n)
		}
		second.Release()
		moved.Release()
		if len(budgets.open) != 0 {
			t.Errorf("%d budgets are left", len(budgets.open))
		}
		third := use("https://crm.example")
		defer third.Release()
		if n := retries(third); n != 1 {
			t.Errorf("%d retries of an upstream that nobody used for a while", n)
		}
	})
}

func TestUpstreamGivenTwice(t *testing.T) {
	budgets := New(Options{})
	_, err := budgets.Use([]Upstream{{Key: crm}, {Key: crm, Origin: "https://other.example"}})
	if err == nil || !strings.Contains(err.Error(), "production/crm") {
		t.Error(err)
	}
	if len(budgets.open) != 0 {
		t.Error("a Set that failed holds budgets")
	}
}

// plain answers without a network.
type plain struct{ resp http.Response }

func (p *plain) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &p.resp, nil
}

// What a request costs that needs no repetition, beside the bare transport.
func BenchmarkStage(b *testing.B) {
	next := &plain{http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	stage := staged(b, Options{}, defaults(), next)
	for _, c := range []struct {
		name string
		next http.RoundTripper
		ask  ask
	}{{"bare", next, get()}, {"GET", stage, get()}, {"bare POST", next, post()}, {"POST", stage, post()}} {
		b.Run(c.name, func(b *testing.B) {
			req, _ := c.ask.request(b)
			body := strings.NewReader(c.ask.body)
			again := io.NopCloser(body)
			b.ReportAllocs()
			for b.Loop() {
				if req.Body != nil {
					body.Reset(c.ask.body)
					req.Body = again
				}
				_, _ = c.next.RoundTrip(req)
			}
		})
	}
}

func TestStageCostsAtMostOneAllocation(t *testing.T) {
	next := &plain{http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	stage := staged(t, Options{}, defaults(), next)
	req, _ := get().request(t)
	run := func(rt http.RoundTripper) float64 {
		return testing.AllocsPerRun(1000, func() { _, _ = rt.RoundTrip(req) })
	}
	if bare, with := run(next), run(stage); with > bare+1 {
		t.Errorf("%.1f allocations, %.1f without the stage", with, bare)
	}
}

func ExampleSet_Stage() {
	answers := []int{503, 200}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answers[0])
		answers = answers[1:]
	}))
	defer upstream.Close()

	budgets := New(Options{}) // for the life of the process
	set, err := budgets.Use([]Upstream{{
		Key:      Key{"production", "crm"},
		Settings: Settings{MaxAttempts: 3, Budget: 0.1, Statuses: []int{502, 503, 504}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Release()
	transport := set.Stage(StageOptions{Kind: func(error) Kind { return KindOther }})(upstream.Client().Transport)

	req := httptest.NewRequest(http.MethodGet, upstream.URL, http.NoBody)
	ctx, ex := exchange.Begin(req.Context())
	ex.SetTarget(exchange.Target{Environment: "production", Service: "crm", Path: "/"})
	resp, err := transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, ex.Retries, ex.RetryResult)
	// Output: 200 1 answered
}
