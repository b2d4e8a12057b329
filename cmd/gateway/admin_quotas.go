package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"iqgateway/limiter"
	"iqgateway/observability"
)

// Paths of the admin API that the commands use.
const (
	pathQuotas       = "/api/v1/quotas"
	pathQuotaBlock   = "/api/v1/quotas/block"
	pathQuotaUnblock = "/api/v1/quotas/unblock"
)

const parameterOf = "bucket"

// blockLimits bound blocks: the store keeps a bucket that nobody uses no longer.
func blockLimits() orderLimits {
	return orderLimits{most: 7 * 24 * time.Hour, longest: "168h", readers: "whoever wonders why nothing goes out"}
}

// quotaAdmin is what the admin API needs to show and block quotas.
type quotaAdmin struct {
	replica string
	now     func() time.Time
	list    func(context.Context) []limiter.Status
	view    func(ctx context.Context, bucket string) (limiter.Status, error)
	// block and unblock act on the whole fleet, through the store.
	block   func(ctx context.Context, bucket string, lasting time.Duration, reason string) error
	unblock func(ctx context.Context, bucket string) error
	// audit writes what an operator has changed.
	audit func(ctx context.Context, message string, attrs ...slog.Attr)
}

// quotaList is the answer to GET /api/v1/quotas.
type quotaList struct {
	Replica string          `json:"replica"`
	Quotas  []quotaDocument `json:"quotas"`
}

// quotaOne is the same of one bucket.
type quotaOne struct {
	Replica string        `json:"replica"`
	Quota   quotaDocument `json:"quota"`
}

// quotaBlock is the body of a block.
type quotaBlock struct {
	Bucket string `json:"bucket"`
	For    string `json:"for"` // a Go duration: 10m
	Reason string `json:"reason"`
}

// quotaUnblock is the body of an unblock.
type quotaUnblock struct {
	Bucket string `json:"bucket"`
	orderWhy
}

// quotaChanged answers both.
type quotaChanged struct {
	Bucket string     `json:"bucket"`
	Until  *time.Time `json:"blocked_until,omitempty"`
	Reason string     `json:"reason,omitempty"`
}

func (q quotaAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		reads(pathQuotas, observability.Operation{
			Serve: q.show, Summary: "List all quotas, or show one with its past", Answer: observability.OneOf{quotaList{}, quotaOne{}},
			Query:    []observability.Parameter{{Name: parameterOf, Summary: "only this one, as production/crm/authenticated"}},
			Problems: []int{http.StatusNotFound, http.StatusServiceUnavailable},
		}),
		changes(pathQuotaBlock, observability.Operation{
			Serve: q.doBlock, Summary: "Grant nothing of a quota for a time", Body: quotaBlock{}, Answer: quotaChanged{},
			Problems: []int{http.StatusNotFound, http.StatusServiceUnavailable},
		}),
		changes(pathQuotaUnblock, observability.Operation{
			Serve: q.doUnblock, Summary: "End such a block", Body: quotaUnblock{}, Answer: quotaChanged{},
			Problems: []int{http.StatusNotFound, http.StatusServiceUnavailable},
		}),
	}
}

func (q quotaAdmin) show(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name := range query {
		if name != parameterOf || len(query[name]) != 1 {
			observability.WriteProblem(w, http.StatusBadRequest, pathQuotas+" takes one parameter, once: bucket, as production/crm/authenticated")
			return
		}
	}
	if name := query.Get(parameterOf); name != "" {
		status, err := q.view(r.Context(), name)
		if err != nil {
			q.refuse(w, err)
			return
		}
		observability.WriteJSON(w, http.StatusOK, quotaOne{q.replica, describeQuota(status, q.now(), true)})
		return
	}
	list := quotaList{Replica: q.replica, Quotas: []quotaDocument{}}
	for _, s := range q.list(r.Context()) {
		list.Quotas = append(list.Quotas, describeQuota(s, q.now(), false))
	}
	observability.WriteJSON(w, http.StatusOK, list)
}

func (q quotaAdmin) doBlock(w http.ResponseWriter, r *http.Request) {
	var lasting time.Duration
	body, ok := readOrder(w, r, func(b quotaBlock) (err error) {
		lasting, err = b.check()
		return err
	})
	if !ok {
		return
	}
	if err := q.block(r.Context(), body.Bucket, lasting, body.Reason); err != nil {
		q.failed(w, r, "an operator could not block a quota", body.Bucket, body.Reason, err)
		return
	}
	until := q.now().Add(lasting).UTC().Truncate(time.Second)
	q.audit(r.Context(), "an operator has blocked a quota", slog.String("bucket", body.Bucket), slog.Time("until", until),
		slog.String("reason", body.Reason), slog.String("peer", r.RemoteAddr))
	observability.WriteJSON(w, http.StatusOK, quotaChanged{body.Bucket, &until, body.Reason})
}

// check returns for how long, or what to correct.
func (b quotaBlock) check() (time.Duration, error) {
	if b.Bucket == "" {
		return 0, errors.New(`name a bucket, as {"bucket": "production/crm/authenticated", "for": "10m", "reason": "…"}`)
	}
	return blockLimits().check(b.For, b.Reason)
}

func (q quotaAdmin) doUnblock(w http.ResponseWriter, r *http.Request) {
	body, ok := readOrder(w, r, func(b quotaUnblock) error {
		if b.Bucket == "" {
			return errors.New(`name a bucket, as {"bucket": "production/crm/authenticated"}`)
		}
		return b.checkReason()
	})
	if !ok {
		return
	}
	if err := q.unblock(r.Context(), body.Bucket); err != nil {
		q.failed(w, r, "an operator could not unblock a quota", body.Bucket, body.Reason, err)
		return
	}
	q.audit(r.Context(), "an operator has unblocked a quota", body.with(slog.String("bucket", body.Bucket), slog.String("peer", r.RemoteAddr))...)
	observability.WriteJSON(w, http.StatusOK, quotaChanged{Bucket: body.Bucket, Reason: body.Reason})
}

// failed answers what could not be changed, and has it in the audit log.
func (q quotaAdmin) failed(w http.ResponseWriter, r *http.Request, message, bucket, reason string, err error) {
	q.audit(r.Context(), message, orderWhy{reason}.with(slog.String("bucket", bucket), slog.String("error", err.Error()), slog.String("peer", r.RemoteAddr))...)
	q.refuse(w, err)
}

// refuse answers what the limiter or its store could not do.
func (q quotaAdmin) refuse(w http.ResponseWriter, err error) {
	if unknown, ok := errors.AsType[*limiter.UnknownError](err); ok {
		observability.WriteProblem(w, http.StatusNotFound, unknownBucket(unknown.Name, unknown.Known))
		return
	}
	observability.WriteProblem(w, http.StatusServiceUnavailable, fmt.Sprintf("the fleet's store did not follow: %v; repeat it when Redis is back", err))
}

func unknownBucket(name string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("there is no bucket %q: no caller may use a service that has a quota", name)
	}
	return unknownName("bucket", name, known)
}
