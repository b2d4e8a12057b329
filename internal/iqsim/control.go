package iqsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const controlPrefix = "/_sim/"

// isControl tells whether a request is for the control endpoints. They are
// not reachable through the hosts of services.
func isControl(r *http.Request) bool {
	_, service := hostLabel(r.Host)
	return !service && strings.HasPrefix(r.URL.Path, controlPrefix)
}

// control serves the endpoints below /_sim/.
type control struct {
	sim *Sim
}

// newControl returns the handler of the control endpoints. What each does is
// in its line.
func newControl(s *Sim) http.Handler {
	c := control{s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/{$}", c.state)
	mux.HandleFunc("GET /_sim/ledger", c.ledger)
	mux.HandleFunc("DELETE /_sim/ledger", c.clearLedger)
	mux.HandleFunc("GET /_sim/tokens", c.tokens)
	mux.HandleFunc("POST /_sim/tokens", c.newToken)
	mux.HandleFunc("POST /_sim/tokens/revoke", c.revokeTokens)
	mux.HandleFunc("GET /_sim/accounts", c.accounts)
	mux.HandleFunc("PUT /_sim/accounts/{username}", c.changeAccount)
	mux.HandleFunc("GET /_sim/faults", c.faults)
	mux.HandleFunc("POST /_sim/faults", c.addFault)
	mux.HandleFunc("DELETE /_sim/faults", c.removeFaults)
	mux.HandleFunc("DELETE /_sim/faults/{id}", c.removeFaults)
	mux.HandleFunc("GET /_sim/services/{service...}", c.profile)
	mux.HandleFunc("PUT /_sim/services/{service...}", c.changeProfile)
	mux.HandleFunc("POST /_sim/consume", c.consume)
	mux.HandleFunc("GET /_sim/quotas", c.quotas)
	mux.HandleFunc("DELETE /_sim/quotas", c.resetQuotas)
	mux.HandleFunc("GET /_sim/dataconnect", c.dataConnect)
	mux.HandleFunc("PUT /_sim/dataconnect", c.changeDataConnect)
	mux.HandleFunc("GET /_sim/switches", c.switches)
	mux.HandleFunc("PUT /_sim/switches", c.changeSwitches)
	return mux
}

// endpoints is the help that GET /_sim/ gives; a test compares it with the
// handlers.
func endpoints() map[string]string {
	return map[string]string{
		"GET /_sim/":                      "this",
		"GET /_sim/ledger":                "requests seen: ?since=SEQ&environment=&service=&method=&nonce=&executed=true&limit=",
		"DELETE /_sim/ledger":             "forget requests and counts",
		"GET /_sim/tokens":                "calls of the token endpoints, by environment",
		"POST /_sim/tokens":               `a new access token: {"environment":"sandbox"}`,
		"POST /_sim/tokens/revoke":        `end access tokens: {"environment":"","account":"","serial":0}`,
		"GET /_sim/accounts":              "accounts, wrong passwords, locks",
		"PUT /_sim/accounts/{username}":   `change an account: {"password":"…","locked":false}; ?environment=`,
		"GET /_sim/faults":                "armed faults",
		"POST /_sim/faults":               `arm one: {"service":"crm","kind":"status","status":500,"count":3}`,
		"DELETE /_sim/faults":             "disarm all",
		"DELETE /_sim/faults/{id}":        "disarm one",
		"GET /_sim/services/{service...}": "limits and header habits of a service; ?environment=",
		"PUT /_sim/services/{service...}": `change some: {"limit":50,"rateHeaders":"iso"}; ?environment=`,
		"POST /_sim/consume":              `spend calls as a stranger: {"service":"crm","clientId":"sim-client","calls":100}`,
		"GET /_sim/quotas":                "counters of the windows",
		"DELETE /_sim/quotas":             "begin new windows",
		"GET /_sim/dataconnect":           "options and counts of DataConnect; ?environment=",
		"PUT /_sim/dataconnect":           `change some options: {"activeLimit":2,"overloaded":true}; ?environment=`,
		"GET /_sim/switches":              "settings that can change",
		"PUT /_sim/switches":              `change some: {"window":"10s","tokenLifetime":"30s"}`,
	}
}

// maxControlBody bounds what a control request may carry, in bytes.
const maxControlBody = 1 << 20

// readControl reads a JSON document into v; fields it does not name stay.
func readControl(r *http.Request, v any) error {
	return decodeControl(r, io.LimitReader(r.Body, maxControlBody), v)
}

func decodeControl(r *http.Request, body io.Reader, v any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("body is not the JSON that %s %s takes: %w", r.Method, r.URL.Path, err)
	}
	return nil
}

// answerControl answers with v, or with 400 and the error.
func answerControl(w http.ResponseWriter, v any, err error) {
	if err != nil {
		engineJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	engineJSON(w, http.StatusOK, v)
}

// done is the answer of a change that has nothing else to tell.
type done struct {
	OK bool `json:"ok"`
}

// queryNumber reads a query parameter that is a number, 0 without it.
func queryNumber(r *http.Request, name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s=%s is not a number from 0", name, text)
	}
	return n, nil
}
