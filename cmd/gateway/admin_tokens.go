package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
	"iqgateway/tokencache"
)

// Paths of the admin API that the commands use.
const (
	pathTokens          = "/api/v1/tokens"
	pathTokenInvalidate = "/api/v1/tokens/invalidate"
	pathTokenRetry      = "/api/v1/tokens/retry"
)

// tokenAdmin is what the admin API needs to show and change upstream tokens.
type tokenAdmin struct {
	replica string
	// list returns what is shown of every credential, never a token.
	list func() []tokencache.Status
	// known returns the names of the credentials that are configured now.
	known func() []string
	// audit writes what an operator has changed.
	audit func(ctx context.Context, message string, attrs ...slog.Attr)
	// invalidate and retry act on the whole fleet.
	invalidate, retry func(ctx context.Context, credential string) (fleet.Result, error)
}

// tokenList is the answer to GET /api/v1/tokens.
type tokenList struct {
	Replica string              `json:"replica"`
	Tokens  []tokencache.Status `json:"tokens"`
}

// tokenChange is the body of a change.
type tokenChange struct {
	Credential string `json:"credential"`
	orderWhy
}

func (t tokenAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		reads(pathTokens, observability.Operation{
			Serve: func(w http.ResponseWriter, _ *http.Request) {
				observability.WriteJSON(w, http.StatusOK, tokenList{t.replica, t.list()})
			},
			Summary: "Show what is held for each credential, never a token", Answer: tokenList{},
		}),
		changes(pathTokenInvalidate, observability.Operation{
			Serve:   t.change("an operator has invalidated a token", t.invalidate),
			Summary: "Drop a credential's token on the whole fleet", Body: tokenChange{}, Answer: fleet.Result{},
			Problems: []int{http.StatusNotFound, http.StatusInternalServerError},
		}),
		changes(pathTokenRetry, observability.Operation{
			Serve:   t.change("an operator has a credential tried again", t.retry),
			Summary: "Ask the token endpoint again after refusals", Body: tokenChange{}, Answer: fleet.Result{},
			Problems: []int{http.StatusNotFound, http.StatusInternalServerError},
		}),
	}
}

func (t tokenAdmin) change(message string, act func(context.Context, string) (fleet.Result, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := readOrder(w, r, func(c tokenChange) error {
			if c.Credential == "" {
				return errors.New(`name a credential, as {"credential": "retail"}`)
			}
			return c.checkReason()
		})
		if !ok {
			return
		}
		if known := t.known(); !slices.Contains(known, body.Credential) {
			observability.WriteProblem(w, http.StatusNotFound, unknownCredential(body.Credential, known))
			return
		}
		result, err := act(r.Context(), body.Credential)
		t.audit(r.Context(), message, body.with(slog.String("credential", body.Credential), slog.String("peer", r.RemoteAddr),
			slog.Int("replicas", result.Replicas), slog.Int("followed", result.Followed))...)
		if err != nil {
			observability.WriteProblem(w, http.StatusInternalServerError,
				fmt.Sprintf("replica %s did not follow: %v; of %d replicas %d followed", t.replica, err, result.Replicas, result.Followed))
			return
		}
		observability.WriteJSON(w, http.StatusOK, result)
	}
}

// unknownCredential lists what there is.
func unknownCredential(name string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("there is no credential %q: none is configured", name)
	}
	known = slices.Sorted(slices.Values(known))
	return fmt.Sprintf("there is no credential %q; there is %s", name, strings.Join(known, ", "))
}
