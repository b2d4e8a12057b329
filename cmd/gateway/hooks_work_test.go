package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
	"iqgateway/tokencache"
)

// TestWorkFailsInWordsOfAClosedSet: what a trace says of it is no text of
// anybody's.
func TestWorkFailsInWordsOfAClosedSet(t *testing.T) {
	for want, err := range map[string]error{
		"":                 nil,
		"failed":           errors.New("GET /v1/x?token=1: broken"),
		"upstream-timeout": fmt.Errorf("wrapped: %w", exchange.Refuse(exchange.UpstreamTimeout, "GET /v1/x took too long")),
	} {
		if got := workFailure(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	own := &exchange.Exchange{}
	w := tokenWork(tokencache.FetchInfo{Outcome: tokencache.OutcomeRefused, Err: errors.New("invalid_grant"), Exchange: own, Took: 2, Duration: 1})
	if w.Name != "token.fetch" || w.Failure != "refused" || w.Exchange != own || w.Took != 2 {
		t.Errorf("%+v", w)
	}
	w = tokenWork(tokencache.FetchInfo{Outcome: tokencache.OutcomeGranted, Exchange: own, Reason: tokencache.ReasonAhead, Generation: 7})
	if w.Failure != "" || w.Reason != "ahead" || w.Generation != 7 || w.Method != http.MethodPost {
		t.Errorf("%+v", w)
	}
}

// What tokens report leads to the trace of what it has happened to.
func TestTokenEventsNameTheirTrace(t *testing.T) {
	var text bytes.Buffer
	log, err := observability.NewLogger(&text, observability.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, ex := &stores{log: log}, &exchange.Exchange{ID: "r1-x", Trace: exchange.NewTrace()}
	s.tokenRejected(tokencache.RejectInfo{Exchange: ex})
	s.tokenFetched(tokencache.FetchInfo{Exchange: ex, Err: errors.New("invalid_grant")})
	want := `"request_id":"r1-x","trace_id":"` + ex.Trace.ID.String() + `","span_id":"` + ex.Trace.Span.String() + `"`
	if n := strings.Count(text.String(), want); n != 2 {
		t.Errorf("%d lines with %s\n%s", n, want, text.String())
	}
}
