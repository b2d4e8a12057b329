package iqsim

import "net/http"

type dataConnect struct{}

// newDataConnect returns the DataConnect service of one environment.
func newDataConnect(_ worldOptions) http.Handler { return &dataConnect{} }

// ServeHTTP answers one DataConnect request.
func (*dataConnect) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

func (*dataConnect) stats() DataConnectStats { return DataConnectStats{} }

// dataConnectAnonymous tells whether path needs no token.
func dataConnectAnonymous(_ string) bool { return false }
