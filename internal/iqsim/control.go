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

// endpoint is one control endpoint, with the help that GET /_sim/ gives.
type endpoint struct {
	pattern string
	handler http.HandlerFunc
	help    string
}

func (c control) endpoints() []endpoint {
	return []endpoint{
		{"GET /_sim/{$}", c.state, "this"},
		{"GET /_sim/ledger", c.ledger, "requests seen: ?since=SEQ&environment=&service=&method=&nonce=&executed=true&limit="},
		{"DELETE /_sim/ledger", c.clearLedger, "forget requests and counts"},
		{"GET /_sim/tokens", c.tokens, "calls of the token endpoints, by environment"},
		{"POST /_sim/tokens", c.newToken, `a new access token: {"environment":"sandbox"}`},
		{"POST /_sim/tokens/revoke", c.revokeTokens, `end access tokens: {"environment":"","account":"","serial":0}`},
		{"GET /_sim/accounts", c.accounts, "accounts, wrong passwords, locks"},
		{"PUT /_sim/accounts/{username}", c.changeAccount, `change an account: {"password":"…","locked":false}; ?environment=`},
		{"GET /_sim/faults", c.faults, "armed faults"},
		{"POST /_sim/faults", c.addFault, `arm one: {"service":"crm","kind":"status","status":500,"count":3}`},
		{"DELETE /_sim/faults", c.removeFaults, "disarm all"},
		{"DELETE /_sim/faults/{id}", c.removeFaults, "disarm one"},
		{"GET /_sim/services/{service...}", c.profile, "limits and header habits of a service; ?environment="},
		{"PUT /_sim/services/{service...}", c.changeProfile, `change some: {"limit":50,"rateHeaders":"iso"}; ?environment=`},
		{"POST /_sim/consume", c.consume, `spend calls as a stranger: {"service":"crm","clientId":"sim-client","calls":100}`},
		{"GET /_sim/quotas", c.quotas, "counters of the windows"},
		{"DELETE /_sim/quotas", c.resetQuotas, "begin new windows"},
		{"GET /_sim/dataconnect", c.dataConnect, "options and counts of DataConnect; ?environment="},
		{"PUT /_sim/dataconnect", c.changeDataConnect, `change some options: {"activeLimit":2,"overloaded":true}; ?environment=`},
		{"GET /_sim/switches", c.switches, "settings that can change"},
		{"PUT /_sim/switches", c.changeSwitches, `change some: {"window":"10s","tokenLifetime":"30s"}`},
	}
}

// newControl returns the handler of the control endpoints.
func newControl(s *Sim) http.Handler {
	mux := http.NewServeMux()
	for _, e := range (control{s}).endpoints() {
		mux.HandleFunc(e.pattern, e.handler)
	}
	return mux
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
