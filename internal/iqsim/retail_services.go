package iqsim

import "net/http"

// retailServices returns the services of one environment by host stem.
func retailServices(_ worldOptions) map[string]http.Handler {
	return map[string]http.Handler{}
}
