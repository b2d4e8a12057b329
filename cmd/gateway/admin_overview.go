package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"iqgateway/internal/fleet"
	"iqgateway/internal/steady"
	"iqgateway/limiter"
	"iqgateway/observability"
	"iqgateway/tokencache"
)

const (
	pathOverview = "/api/v1/overview"

	// overviewEvery is for how long an overview is shown before another is made.
	overviewEvery = time.Second
	// overviewTimeout bounds what the stores may take for one.
	overviewTimeout = 2 * time.Second
	shownRefusals   = 50
)

// overviewAdmin makes the overview of this replica, once for all who watch, and
// only while somebody does.
type overviewAdmin struct {
	now    func() time.Time
	make   func(context.Context) overviewDocument
	failed steady.Panicked
	watchPlaces

	mu    sync.Mutex // of who makes the next one
	made  time.Time  // zero = none was
	text  []byte
	stale bool // text is not to be shown: making another has failed
}

// overviewDocument answers GET /api/v1/overview, and is each event of
// /api/v1/events.
type overviewDocument struct {
	At       time.Time           `json:"at"` // by this replica's clock
	Status   statusDocument      `json:"status"`
	Quotas   []quotaDocument     `json:"quotas"`
	Breakers []breakerDocument   `json:"breakers"`
	Tokens   []tokencache.Status `json:"tokens"`
	Cache    cacheDocument       `json:"cache"`    // without what each caller did
	Refusals []refusalDocument   `json:"refusals"` // of this replica, newest first
}

// refusalDocument is a request that the gateway refused; /api/v1/requests/ID
// explains it.
type refusalDocument struct {
	Request     string    `json:"request"`
	At          time.Time `json:"at"`
	Caller      string    `json:"caller,omitempty"` // "" = not known
	Environment string    `json:"environment,omitempty"`
	Service     string    `json:"service,omitempty"`
	Status      int       `json:"status"`
	Problem     string    `json:"problem"`
	Detail      string    `json:"detail,omitempty"`
}

// overviewAdmin shows what the rest of the API shows.
func (g *gateway) overviewAdmin(a adminAPI) *overviewAdmin {
	return newOverviewAdmin(func(ctx context.Context) overviewDocument {
		d := a.overviewOf(ctx, time.Now())
		d.Refusals = describeRefusals(g.stores.recent.Refused(shownRefusals))
		return d
	}, g.stores.loopPanicked(context.Background(), "overview"))
}

func newOverviewAdmin(describe func(context.Context) overviewDocument, failed steady.Panicked) *overviewAdmin {
	return &overviewAdmin{now: time.Now, make: describe, failed: failed, watchPlaces: newWatchPlaces()}
}

// overviewOf asks every part once; the quotas, which three of them show, come
// from one answer of the store.
func (a adminAPI) overviewOf(ctx context.Context, now time.Time) overviewDocument {
	buckets := a.quotas.list(ctx)
	breakers := a.breakers
	breakers.quotas = func(context.Context) []limiter.Status { return buckets }
	d := overviewDocument{
		At: now.UTC(), Quotas: make([]quotaDocument, len(buckets)), Breakers: breakers.documents(ctx),
		Tokens: append([]tokencache.Status{}, a.tokens.list()...), Cache: a.cache.describe(),
	}
	for i, s := range buckets {
		d.Quotas[i] = describeQuota(s, now, false)
	}
	for i := range d.Cache.Services {
		d.Cache.Services[i].Callers = nil
	}
	status := a.status
	status.ask = func(context.Context) ([]fleet.Answer, error) { return nil, errReplicasUnasked }
	d.Status = status.describe(ctx, d.Breakers)
	return d
}

// errReplicasUnasked is because questions wait for beats, which is too long for
// each second: an overview has of other replicas what their beats say.
var errReplicasUnasked = errors.New("overviews ask no other replica: see " + pathStatus)

func describeRefusals(all []observability.Refusal) []refusalDocument {
	list := make([]refusalDocument, len(all))
	for i, r := range all {
		list[i] = refusalDocument{
			Request: r.ID, At: r.Ended.UTC().Truncate(time.Millisecond), Caller: r.Caller, Environment: r.Environment,
			Service: r.Service, Status: r.Status, Problem: string(r.Problem), Detail: r.Detail,
		}
	}
	return list
}

func (o *overviewAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		reads(pathOverview, observability.Operation{
			Serve: o.show, Summary: "Show everything that the dashboard shows, at most a second old", Answer: overviewDocument{},
			Problems: []int{http.StatusInternalServerError},
		}),
		reads(pathEvents, observability.Operation{
			Serve: o.stream, Summary: "Watch the overview: an event with it every second, after one that says whether the token may change something",
			Media: "text/event-stream", Problems: []int{http.StatusServiceUnavailable},
		}),
	}
}

func (o *overviewAdmin) show(w http.ResponseWriter, r *http.Request) {
	text, _, err := o.current(r.Context())
	if err != nil {
		observability.WriteProblem(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(slices.Clip(text), '\n'))
}

var errNoOverview = errors.New("the overview could not be made; the log says why")

// current returns the overview as one line of JSON, and when there will be
// another. It is made for all, so it outlasts who happens to ask first.
func (o *overviewAdmin) current(ctx context.Context) (text []byte, next time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if next = o.made.Add(overviewEvery); o.made.IsZero() || !o.now().Before(next) {
		o.remake(ctx)
		next = o.made.Add(overviewEvery)
	}
	if o.stale {
		return nil, next, errNoOverview
	}
	return o.text, next, nil
}

func (o *overviewAdmin) remake(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), overviewTimeout)
	defer cancel()
	o.stale = true
	steady.Try(func() {
		text, err := json.Marshal(o.make(ctx))
		o.text, o.stale = text, err != nil
	}, o.failed)
	o.made = o.now()
}
