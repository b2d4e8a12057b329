package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// A caller that leaves while a repetition of its request is waited for gives back
// what it held, long before the wait is over.
func TestCallerLeavesBeforeTheRepetition(t *testing.T) {
	r := newSickRig(t, failing, rigOptions{flags: []string{"--set", "callers.storefront.rate_limit.concurrency=1"}})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.ClearLedger()
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := r.try(ctx, http.MethodGet, customers, "", meets("kind=status&status=503&field=Retry-After: 5"))
		ended <- err
	}()
	await(t, "the repetition is waited for", func() bool { return r.repeated(t, "crm") == 1 })
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusTooManyRequests) // it holds the caller's only place
	leave()
	if err := <-ended; err == nil {
		t.Fatal("the request was answered")
	}
	await(t, "the place is free", func() bool {
		a, err := r.try(t.Context(), http.MethodGet, customers, "")
		return err == nil && a.StatusCode == http.StatusOK
	})
	await(t, "the log tells", func() bool { return strings.Contains(r.logs.String(), `"retry":"left"`) })
	if struck := r.struck("crm"); len(struck) != 1 {
		t.Errorf("%d attempts of the request that left arrived", len(struck))
	}
}
