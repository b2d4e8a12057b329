package main

import (
	"context"
	"net/http"
	"strings"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
	"iqgateway/proxy"
)

// Paths on the data port under which callers ask the gateway about themselves.
// No environment or service can take them: their names begin with a letter or a
// digit.
const (
	pathSelf        = "/-"
	pathMe          = "/-/me"
	pathOwnRequests = "/-/requests/"
	routeOwnRequest = "/-/requests/{id}"
)

// selfService answers callers about themselves, and about nobody else.
type selfService struct {
	me     func(*exchange.Caller) meDocument
	find   func(ctx context.Context, id, caller string) ([]byte, error)
	refuse func(http.ResponseWriter, *http.Request, error)
}

// stage answers what is below /-/ on the gateway's own names. Below the native
// name of an upstream that is the upstream's.
func (s selfService) stage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		path, ok := selfPath(r, ex)
		if !ok || ex.Caller == nil {
			next.ServeHTTP(w, r)
			return
		}
		ex.SetTarget(exchange.Target{Route: selfRoute(path), Path: path})
		ex.Self = true
		s.serve(w, r)
	})
}

// selfPath returns the path of a request that is meant for the gateway itself.
func selfPath(r *http.Request, ex *exchange.Exchange) (string, bool) {
	if ex.Form != exchange.FormPath || !strings.HasPrefix(r.URL.Path, pathSelf) {
		return "", false
	}
	path := proxy.RequestOf(r, ex).Path // as it was written: no other spelling is ours
	return path, path == pathSelf || strings.HasPrefix(path, pathSelf+"/")
}

func selfRoute(path string) string {
	switch {
	case path == pathMe:
		return pathMe
	case strings.HasPrefix(path, pathOwnRequests):
		return routeOwnRequest
	default:
		return "/-/**"
	}
}

func (s selfService) serve(w http.ResponseWriter, r *http.Request) {
	ex := exchange.From(r.Context())
	id, asksRequest := strings.CutPrefix(ex.Target.Path, pathOwnRequests)
	switch {
	case ex.Target.Path != pathMe && !asksRequest:
		s.refuse(w, r, exchange.Refuse(exchange.UnknownService,
			"Below /-/ the gateway has "+pathMe+" (what you may do, and what is left for you) and "+routeOwnRequest+" (what became of a request of yours)."))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		p := exchange.Refuse(exchange.MethodNotAllowed, ex.Target.Route+" is read with GET.")
		p.Header = http.Header{"Allow": {"GET, HEAD"}}
		s.refuse(w, r, p)
	case asksRequest:
		s.request(w, r, id)
	default:
		prepareSelf(w)
		observability.WriteJSON(w, http.StatusOK, s.me(ex.Caller))
	}
}

// request answers what is not there, what is another's and what is no id with
// the same words: who asks learns nothing about others.
func (s selfService) request(w http.ResponseWriter, r *http.Request, id string) {
	document, err := s.find(r.Context(), id, exchange.From(r.Context()).Caller.Name)
	switch {
	case err != nil:
		p := exchange.Refuse(exchange.ReplicaUnavailable, "The replicas that may know cannot be asked at the moment.").Because(err)
		p.RetryAfter = askAgain
		s.refuse(w, r, p)
		return
	case len(document) == 0:
		s.refuse(w, r, exchange.Refuse(exchange.UnknownRequest,
			"There is no request of yours with this id, nor one of this trace. Ids stand in X-Request-Id of each answer; a replica remembers its newest few thousand requests, once they have ended."))
		return
	}
	prepareSelf(w)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document)
}

// prepareSelf sets the fields that all these answers have.
func prepareSelf(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}

// self is the stage of this generation.
func (s stack) self() selfService {
	requests := s.stores.requests
	return selfService{
		me: s.generation.selfView.me, refuse: s.errors.Refuse,
		find: func(ctx context.Context, id, caller string) ([]byte, error) {
			return requests.find(ctx, requestQuestion{ID: id, Caller: caller})
		},
	}
}
