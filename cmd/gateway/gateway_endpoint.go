package main

import (
	"fmt"
	"net/http"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
	"iqgateway/proxy"
)

// gatewayTokens are what the gateway's own token endpoint gives out; nil = it is
// off.
func gatewayTokens(cfg *config.Config, callers []auth.Caller) (*auth.GatewayTokens, error) {
	e := cfg.Auth.TokenEndpoint
	if !e.Enabled {
		return nil, nil //nolint:nilnil // both are an answer
	}
	o := auth.GatewayTokensOptions{SigningKey: secret.New(string(e.SigningKey.Bytes())), TTL: e.TTL, Callers: callers}
	for _, key := range e.PreviousKeys {
		o.PreviousKeys = append(o.PreviousKeys, secret.New(string(key.Bytes())))
	}
	tokens, err := auth.NewGatewayTokens(o)
	if err != nil {
		return nil, fmt.Errorf("auth.token_endpoint: %w", err)
	}
	return tokens, nil
}

func (s stack) tokenEndpoint() auth.TokenEndpointOptions {
	return auth.TokenEndpointOptions{
		AuthenticateOptions: s.authenticate(), Asks: isTokenCall(s.generation.router), Calls: &s.stores.tokenCalls,
	}
}

// isTokenCall returns the func that recognises token calls, of callers that are
// not known yet.
func isTokenCall(router *proxy.Router) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return router.TokenCall(proxy.RequestOf(r, exchange.From(r.Context())))
	}
}
