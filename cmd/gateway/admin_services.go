package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
	"iqgateway/observability"
	"iqgateway/proxy"
)

// Paths of the admin API that the commands use.
const (
	pathServices    = "/api/v1/services"
	pathServicePing = "/api/v1/services/ping"
)

const (
	pingsAtOnce = 8
	// pingTimeout bounds all pings of one order.
	pingTimeout = 10 * time.Second
)

// serviceAdmin is what the admin API needs to show and ping services.
type serviceAdmin struct {
	replica string
	// list returns the services that some caller may use.
	list func() []serviceDocument
	ping func(ctx context.Context, at serviceKey) (proxy.Pong, error)
	// panicked is told of a ping that panicked; nil = silent.
	panicked steady.Panicked
}

var errPingPanicked = errors.New("the gateway failed on this ping")

// serviceList answers both.
type serviceList struct {
	Replica  string            `json:"replica"`
	Services []serviceDocument `json:"services"`
}

// serviceDocument is one environment's service.
type serviceDocument struct {
	Environment string `json:"environment"`
	Service     string `json:"service"`
	Upstream    string `json:"upstream"`       // host
	Ping        string `json:"ping,omitempty"` // path; "" = none is known
	Breaker     string `json:"breaker"`        // state
	// Pinged is the answer, nil if it was not asked.
	Pinged *pingDocument `json:"pinged,omitempty"`
}

// pingDocument is what a ping has brought.
type pingDocument struct {
	Status       int    `json:"status,omitempty"` // 0 = no answer
	Version      string `json:"version,omitempty"`
	Milliseconds int64  `json:"ms"`
	Problem      string `json:"problem,omitempty"` // why there is no usable answer
}

// servicePing is the body of an order to ping; "" is all.
type servicePing struct {
	Environment string `json:"environment,omitempty"`
	Service     string `json:"service,omitempty"`
}

func (s serviceAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		reads(pathServices, observability.Operation{
			Serve: s.show, Summary: "List the services that callers may use", Answer: serviceList{}, Problems: []int{http.StatusBadRequest},
		}),
		changes(pathServicePing, observability.Operation{
			Serve: s.doPing, Summary: "Ask upstreams for their ping, for one token of each quota", Body: servicePing{}, Answer: serviceList{},
			Problems: []int{http.StatusNotFound},
		}),
	}
}

func (s serviceAdmin) show(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Query()) > 0 {
		observability.WriteProblem(w, http.StatusBadRequest, pathServices+" takes no parameter: it lists all services that callers may use")
		return
	}
	observability.WriteJSON(w, http.StatusOK, serviceList{s.replica, s.list()})
}

func (s serviceAdmin) doPing(w http.ResponseWriter, r *http.Request) {
	order, ok := readOrder(w, r, func(servicePing) error { return nil })
	if !ok {
		return
	}
	chosen, err := order.choose(s.list())
	observability.AuditChange(r.Context(), "an operator has upstreams asked for their ping", slog.String("environment", cmp.Or(order.Environment, "all")),
		slog.String("service", cmp.Or(order.Service, "all")), slog.Int("services", len(chosen)))
	if err != nil {
		observability.WriteProblem(w, http.StatusNotFound, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	var all errgroup.Group
	all.SetLimit(pingsAtOnce)
	for i := range chosen {
		if chosen[i].Ping != "" {
			all.Go(func() error {
				chosen[i].Pinged = s.pinged(ctx, serviceKey{chosen[i].Environment, chosen[i].Service})
				return nil
			})
		}
	}
	_ = all.Wait() // failures stand in the answer
	observability.WriteJSON(w, http.StatusOK, serviceList{s.replica, chosen})
}

// choose returns the services that are meant.
func (o servicePing) choose(all []serviceDocument) ([]serviceDocument, error) {
	chosen, known := []serviceDocument{}, []string{}
	for _, d := range all {
		known = append(known, d.Environment+"/"+d.Service)
		if (o.Environment == "" || o.Environment == d.Environment) && (o.Service == "" || o.Service == d.Service) {
			chosen = append(chosen, d)
		}
	}
	if len(chosen) > 0 || o == (servicePing{}) {
		return chosen, nil
	}
	name := o.Environment + "/" + o.Service
	if o.Environment == "" || o.Service == "" {
		name = o.Environment + o.Service
	}
	return nil, errors.New(unknownName("service that a caller may use", name, known))
}

func (s serviceAdmin) pinged(ctx context.Context, at serviceKey) *pingDocument {
	if ctx.Err() != nil {
		return &pingDocument{Problem: "not asked: the others have taken " + pingTimeout.String()}
	}
	pong, err := proxy.Pong{}, errPingPanicked
	steady.Try(func() { pong, err = s.ping(ctx, at) }, s.panicked)
	d := &pingDocument{Status: pong.Status, Version: pong.Version, Milliseconds: pong.Took.Milliseconds()}
	if err != nil {
		d.Problem = problemText(err)
	}
	return d
}

// problemText says what an operator may know of an error: the cause of a
// problem is for the log.
func problemText(err error) string {
	if p, is := errors.AsType[*exchange.Problem](err); is {
		return string(p.Type) + ": " + p.Detail
	}
	return err.Error()
}
