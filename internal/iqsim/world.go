package iqsim

import (
	"context"
	"time"
)

// worldOptions is what the services of one environment are built from.
type worldOptions struct {
	// Environment names the environment, "sandbox" for one.
	Environment string
	// Now is the clock of the simulation; never nil.
	Now func() time.Time
	// DataConnect switches the behaviour of the DataConnect service.
	DataConnect DataConnectOptions
	// LocaleRequired makes productlibrary answer 406 "Locale not available"
	// to a request without a known Accept-Language.
	LocaleRequired bool
	// CatalogItems is how many items the catalog has, at least; 0 means the
	// assortment alone.
	CatalogItems int
}

// call is who makes the request that a service sees.
type call struct {
	// Environment that was addressed.
	Environment string
	// Service is the host stem that was addressed.
	Service string
	// Account is the user name that the token was issued to; empty when the
	// call is anonymous.
	Account string
	// ClientID is the OAuth client id that the token was issued to.
	ClientID string
	// Token is the bearer token's text.
	Token string
	// BaseURL is what precedes the service's path when the caller addresses
	// the service in the same way again: "http://127.0.0.1:19900/crm" in path
	// form, "https://crmdemo.iqmetrix.net" in host form.
	BaseURL string
}

type callKey struct{}

// withCall returns ctx carrying c.
func withCall(ctx context.Context, c call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// callFrom returns the call that the engine stored in ctx, or the zero call.
func callFrom(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}
