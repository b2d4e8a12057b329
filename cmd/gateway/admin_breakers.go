package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"iqgateway/breaker"
	"iqgateway/internal/fleet"
	"iqgateway/limiter"
	"iqgateway/observability"
)

// Paths of the admin API that the commands use.
const (
	pathBreakers     = "/api/v1/breakers"
	pathBreakerOpen  = "/api/v1/breakers/open"
	pathBreakerClose = "/api/v1/breakers/close"
	pathBreakerReset = "/api/v1/breakers/reset"
)

// forceLimits bound forced states: what nobody looks after for a day is
// forgotten.
func forceLimits() orderLimits {
	return orderLimits{most: 24 * time.Hour, longest: "24h", readers: "whoever wonders about the breaker"}
}

// breakerAdmin is what the admin API needs to show and force breakers.
type breakerAdmin struct {
	replica string
	now     func() time.Time
	list    func() []breaker.Status
	force   func(context.Context, breaker.Key, breaker.Forced) error
	reset   func(ctx context.Context, k breaker.Key, by string) error
	// follow has the other replicas follow the order that was given here.
	follow func(context.Context) fleet.Result
	// size is how many replicas there are.
	size func() int
	// quotas are the buckets, whose own gate stands beside the breakers.
	quotas func(context.Context) []limiter.Status
	// audit writes what an operator has changed.
	audit func(ctx context.Context, message string, attrs ...slog.Attr)
}

// breakerList is the answer to GET /api/v1/breakers.
type breakerList struct {
	Replica  string            `json:"replica"`
	Breakers []breakerDocument `json:"breakers"`
}

// breakerForce is the body of a forced state.
type breakerForce struct {
	Breaker string `json:"breaker"`
	For     string `json:"for"` // a Go duration: 10m
	Reason  string `json:"reason"`
}

// breakerReset is the body of a reset.
type breakerReset struct {
	Breaker string `json:"breaker"`
	orderWhy
}

// breakerChanged answers all of them.
type breakerChanged struct {
	Breaker string     `json:"breaker"`
	State   string     `json:"state,omitempty"` // that it is forced into
	Until   *time.Time `json:"until,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	// HereOnly says that the other replicas follow once the store answers.
	HereOnly bool         `json:"here_only,omitempty"`
	Fleet    fleet.Result `json:"fleet"` // how many replicas have followed
}

func (b breakerAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		reads(pathBreakers, observability.Operation{Serve: b.show, Summary: "List all breakers", Answer: breakerList{}, Problems: []int{http.StatusBadRequest}}),
		changes(pathBreakerOpen, observability.Operation{
			Serve: b.forcing(breaker.Open), Summary: "Force a breaker open on the whole fleet, for a time",
			Body: breakerForce{}, Answer: breakerChanged{}, Problems: []int{http.StatusNotFound, http.StatusConflict},
		}),
		changes(pathBreakerClose, observability.Operation{
			Serve: b.forcing(breaker.Closed), Summary: "Force a breaker closed on the whole fleet, for a time",
			Body: breakerForce{}, Answer: breakerChanged{}, Problems: []int{http.StatusNotFound, http.StatusConflict},
		}),
		changes(pathBreakerReset, observability.Operation{
			Serve: b.doReset, Summary: "Forget what a breaker has counted and what it was forced into",
			Body: breakerReset{}, Answer: breakerChanged{}, Problems: []int{http.StatusNotFound, http.StatusConflict},
		}),
	}
}

func (b breakerAdmin) show(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Query()) > 0 {
		observability.WriteProblem(w, http.StatusBadRequest, pathBreakers+" takes no parameter: it lists all breakers")
		return
	}
	observability.WriteJSON(w, http.StatusOK, breakerList{Replica: b.replica, Breakers: b.documents(r.Context())})
}

func (b breakerAdmin) documents(ctx context.Context) []breakerDocument {
	gates, all := quotaGates(b.quotas(ctx), b.now()), []breakerDocument{}
	for _, s := range b.list() {
		all = append(all, describeBreaker(s, gates, b.now()))
	}
	return all
}

func (b breakerAdmin) forcing(state breaker.State) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var lasting time.Duration
		body, ok := readOrder(w, r, func(f breakerForce) (err error) {
			lasting, err = f.check()
			return err
		})
		if !ok {
			return
		}
		until := b.now().Add(lasting).UTC().Truncate(time.Second)
		b.change(w, r, breakerChanged{Breaker: body.Breaker, State: string(state), Until: &until, Reason: body.Reason}, func(ctx context.Context, k breaker.Key) error {
			return b.force(ctx, k, breaker.Forced{State: state, For: lasting, By: operator, Why: body.Reason})
		})
	}
}

// operator is who forces a breaker: which one, the log of the admin server
// tells.
const operator = "operator"

// check returns for how long, or what to correct.
func (f breakerForce) check() (time.Duration, error) {
	if f.Breaker == "" {
		return 0, errors.New(`name a breaker, as {"breaker": "production/crm", "for": "10m", "reason": "…"}`)
	}
	return forceLimits().check(f.For, f.Reason)
}

func (b breakerAdmin) doReset(w http.ResponseWriter, r *http.Request) {
	body, ok := readOrder(w, r, func(c breakerReset) error {
		if c.Breaker == "" {
			return errors.New(`name a breaker, as {"breaker": "production/crm"}`)
		}
		return c.checkReason()
	})
	if !ok {
		return
	}
	b.change(w, r, breakerChanged{Breaker: body.Breaker, Reason: body.Reason}, func(ctx context.Context, k breaker.Key) error {
		return b.reset(ctx, k, operator)
	})
}

// change makes a change here, has the fleet follow, and answers.
func (b breakerAdmin) change(w http.ResponseWriter, r *http.Request, c breakerChanged, do func(context.Context, breaker.Key) error) {
	key, err := b.find(c.Breaker)
	if err != nil {
		observability.WriteProblem(w, http.StatusNotFound, err.Error())
		return
	}
	err = do(r.Context(), key)
	c.HereOnly = errors.Is(err, breaker.ErrHereOnly)
	if err != nil && !c.HereOnly {
		b.audit(r.Context(), "an operator could not change a breaker", orderWhy{c.Reason}.with(slog.String("breaker", c.Breaker),
			slog.String("state", c.State), slog.String("error", err.Error()), slog.String("peer", r.RemoteAddr))...)
		observability.WriteProblem(w, http.StatusConflict, err.Error())
		return
	}
	if c.HereOnly {
		c.Fleet = fleet.Result{Replicas: b.size(), Followed: 1, Alone: true, Reason: err.Error()}
	} else {
		c.Fleet = b.follow(r.Context())
	}
	b.note(r, c)
	observability.WriteJSON(w, http.StatusOK, c)
}

// note writes an order into the audit log.
func (b breakerAdmin) note(r *http.Request, c breakerChanged) {
	attrs := orderWhy{c.Reason}.with(
		slog.String("breaker", c.Breaker), slog.String("peer", r.RemoteAddr), slog.Bool("here_only", c.HereOnly),
		slog.Int("replicas", c.Fleet.Replicas), slog.Int("followed", c.Fleet.Followed),
	)
	message := "an operator has reset a breaker"
	if c.Until != nil {
		message = "an operator has forced a breaker"
		attrs = append(attrs, slog.String("state", c.State), slog.Time("until", *c.Until))
	}
	b.audit(r.Context(), message, attrs...)
}

// find returns the key of a name, as the list shows it.
func (b breakerAdmin) find(name string) (breaker.Key, error) {
	var known []string
	for _, s := range b.list() {
		if s.Key.String() == name {
			return s.Key, nil
		}
		known = append(known, s.Key.String())
	}
	return breaker.Key{}, errors.New(unknownName("breaker", name, known))
}
