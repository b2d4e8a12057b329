package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/fleet"
	"iqgateway/observability"
)

// Paths of the admin API that the commands use.
const (
	pathCache      = "/api/v1/cache"
	pathCachePurge = "/api/v1/cache/purge"
)

// cacheAdmin is what the admin API needs to show and purge stored answers.
type cacheAdmin struct {
	replica string
	now     func() time.Time
	stats   func() cache.Stats
	limit   func() int64     // of memory, in bytes
	heard   func() time.Time // when the log of invalidations last answered
	logged  bool             // there is such a log
	tier    func() cacheTier
	known   func() []purgeService
	// purge acts on the whole fleet.
	purge func(context.Context, []cache.Event) (fleet.Result, error)
	// audit writes what an operator has changed.
	audit func(ctx context.Context, message string, attrs ...slog.Attr)
}

// cacheTier is the second tier as an operator sees it.
type cacheTier struct {
	Store  string `json:"store,omitempty"` // which server; "" = there is none
	Up     bool   `json:"up"`
	Reason string `json:"reason,omitempty"` // why there is none, or why it is not used now
}

// purged is the answer to a purge.
type purged struct {
	Purged []string `json:"purged"` // what was dropped, by service
	fleet.Result
}

func (c cacheAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		reads(pathCache, observability.Operation{
			Serve:   func(w http.ResponseWriter, _ *http.Request) { observability.WriteJSON(w, http.StatusOK, c.describe()) },
			Summary: "Show what is stored, and what it has saved since the start", Answer: cacheDocument{},
		}),
		changes(pathCachePurge, observability.Operation{
			Serve: c.doPurge, Summary: "Drop stored answers on the whole fleet", Body: purgeRequest{}, Answer: purged{},
			Problems: []int{http.StatusNotFound, http.StatusInternalServerError},
		}),
	}
}

// note writes what has become of a purge, also of one that failed.
func (c cacheAdmin) note(r *http.Request, why orderWhy, events []cache.Event, result fleet.Result, err error) {
	attrs := why.with(
		slog.Any("purge", purgeTexts(events)),
		slog.Int("replicas", result.Replicas), slog.Int("followed", result.Followed), slog.String("peer", r.RemoteAddr),
	)
	message := "an operator has purged the cache"
	switch {
	case err != nil:
		message = "an operator's purge of the cache has failed"
		attrs = append(attrs, slog.String("error", err.Error()))
	case result.Followed < result.Replicas:
		message = "an operator has purged the cache, and not every replica has followed yet"
		attrs = append(attrs, slog.Any("behind", result.Behind), slog.String("why", result.Reason))
	}
	c.audit(r.Context(), message, attrs...)
}

func (c cacheAdmin) doPurge(w http.ResponseWriter, r *http.Request) {
	asked, ok := readOrder(w, r, func(p purgeRequest) error { return p.checkReason() })
	if !ok {
		return
	}
	events, err := asked.events(c.known())
	if err != nil {
		status := http.StatusBadRequest
		if _, unknown := errors.AsType[unknownNameError](err); unknown {
			status = http.StatusNotFound
		}
		observability.WriteProblem(w, status, err.Error())
		return
	}
	result, err := c.purge(r.Context(), events)
	c.note(r, asked.orderWhy, events, result, err)
	if err != nil {
		observability.WriteProblem(w, http.StatusInternalServerError,
			fmt.Sprintf("replica %s did not follow: %v; of %d replicas %d followed", c.replica, err, result.Replicas, result.Followed))
		return
	}
	observability.WriteJSON(w, http.StatusOK, purged{purgeTexts(events), result})
}
