package observability

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"iqgateway/internal/secret"
)

// Check is one condition of readiness, or one thing worth showing beside it.
type Check struct {
	Name string
	// Required: a failure makes the replica not ready. Otherwise it is only
	// degraded: a missing dependency must not take the gateway away.
	Required bool
	// Err returns nil when all is well; it must not block.
	Err func() error
}

// AdminOptions configures [Admin].
type AdminOptions struct {
	Checks []Check
	// Alive returns why only a restart helps; nil = nothing is asked, and /livez
	// answers as long as the process does. It must not block, and must not depend
	// on anything beyond the process.
	Alive   func() error
	Metrics http.Handler
	Version any // answered as JSON at /version
	// Hosts are names that the server answers to beside loopback names and IP
	// addresses; "*" = any name. It keeps other web pages out (DNS rebinding).
	Hosts []string
	// API serves everything under /api/, see [API]; nil = nothing is there. It
	// is asked only for what Token and ReadToken allow.
	API http.Handler
	// Page serves what people open in a browser, under /ui/; nil = there is no
	// page. Whoever reaches the server gets it: it holds no data itself.
	Page http.Handler
	// Token allows to read and change; absent = only a verified client
	// certificate does.
	Token secret.Text
	// Audit is told of changes by the API and of whoever is refused; nil = nobody.
	Audit *Audit
	// ReadToken allows to read. With neither, everybody who reaches the server
	// may read.
	ReadToken secret.Text
	// Profiles serves Go's profiles to whoever may change.
	Profiles bool
}

// AdminHandler is the handler of the admin server.
type AdminHandler struct {
	http.Handler

	tokens atomic.Pointer[adminTokens]
}

// SetTokens has every request from now on judged by these tokens, as
// [AdminOptions] describes them.
func (h *AdminHandler) SetTokens(token, read secret.Text) {
	h.tokens.Store(&adminTokens{newCredential(token), newCredential(read)})
}

// Admin returns the handler of the admin server: /livez, /readyz[?verbose],
// /metrics, /version, and for those who may, /api/ and Go's profiles.
func Admin(o AdminOptions) *AdminHandler {
	h := &AdminHandler{}
	h.SetTokens(o.Token, o.ReadToken)
	private := apiGuard{api: o.API, tokens: &h.tokens}
	if o.Profiles {
		private.profiles = profiles
	}
	h.Handler = o.Audit.calls(guard(private.wrap(o.withPage(routes(openEndpoints(o)))), o.Hosts))
	return h
}

// Status returns the handler of the status listener: what probes and scrapers
// need and nothing else. It answers to any host name, and tells strangers which
// checks fail but not why: a reason may quote the configuration.
func Status(o AdminOptions) http.Handler {
	o.Checks = slices.Clone(o.Checks)
	for i, c := range o.Checks {
		o.Checks[i].Err = func() error {
			if c.Err() != nil {
				return errUntold
			}
			return nil
		}
	}
	return guard(routes(probeEndpoints(o)), []string{"*"})
}

// errUntold stands for what is not for everybody.
var errUntold = errors.New("")

// pathPage is below which [AdminOptions] has its page.
const pathPage = "/ui/"

// withPage leads people who name no path to the page.
func (o AdminOptions) withPage(next http.Handler) http.Handler {
	if o.Page == nil {
		return next
	}
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.Handle("GET /{$}", http.RedirectHandler(pathPage, http.StatusFound))
	mux.Handle("GET "+pathPage, http.StripPrefix(pathPage, o.Page))
	return mux
}

func routes(endpoints []Endpoint) http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints {
		for method, operation := range e.Methods {
			mux.HandleFunc(method+" "+e.Path, operation.Serve)
		}
	}
	return mux
}

// openEndpoints are outside of /api: nobody needs a token for them.
func openEndpoints(o AdminOptions) []Endpoint {
	return append(probeEndpoints(o), Endpoint{Path: "/version", Methods: map[string]Operation{http.MethodGet: {
		Summary: "Say which version this replica is", Answer: cmp.Or[any](o.Version, object{}),
		Serve: func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, o.Version) },
	}}})
}

func probeEndpoints(o AdminOptions) []Endpoint {
	const text = "text/plain; charset=utf-8"
	return []Endpoint{
		{Path: "/livez", Methods: map[string]Operation{http.MethodGet: {
			Summary: "Say that the process lives; 503 where only a restart helps", Media: text,
			Problems: []int{http.StatusServiceUnavailable}, Serve: livez(o.Alive),
		}}},
		{Path: "/readyz", Methods: map[string]Operation{http.MethodGet: {
			Summary: "Say whether this replica is ready: ok, degraded, or 503 not ready", Media: text,
			Query:    []Parameter{{Name: "verbose", Summary: "adds a line for each check"}},
			Problems: []int{http.StatusServiceUnavailable}, Serve: readyz(o.Checks),
		}}},
		{Path: "/metrics", Methods: map[string]Operation{http.MethodGet: {
			Summary: "Show all metrics for Prometheus", Media: text,
			Serve: func(w http.ResponseWriter, r *http.Request) { o.Metrics.ServeHTTP(w, r) },
		}}},
	}
}

// States of a check, and of a replica as a whole.
const (
	StateOK       = "ok"
	StateDegraded = "degraded"
	StateFailed   = "failed"
	StateNotReady = "not ready"
)

// CheckResult is a check as it stands.
type CheckResult struct {
	Name   string `json:"name"`
	State  string `json:"state"` // StateOK, StateDegraded or StateFailed
	Detail string `json:"detail,omitempty"`
}

// Evaluate makes the checks. The replica is StateOK, StateDegraded or
// StateNotReady.
func Evaluate(checks []Check) (replica string, results []CheckResult) {
	replica = StateOK
	for _, c := range checks {
		r := CheckResult{Name: c.Name, State: StateOK}
		if err := c.Err(); err != nil {
			r.State, r.Detail = StateDegraded, err.Error()
			switch {
			case c.Required:
				r.State, replica = StateFailed, StateNotReady
			case replica == StateOK:
				replica = StateDegraded
			}
		}
		results = append(results, r)
	}
	return replica, results
}

func livez(alive func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if alive != nil {
			if err := alive(); err != nil {
				writeText(w, http.StatusServiceUnavailable, err.Error()+"\n")
				return
			}
		}
		writeText(w, http.StatusOK, "ok\n")
	}
}

func readyz(checks []Check) http.HandlerFunc {
	marks := map[string]string{StateOK: "[+] ", StateDegraded: "[!] ", StateFailed: "[-] "}
	return func(w http.ResponseWriter, r *http.Request) {
		replica, results := Evaluate(checks)
		status := http.StatusOK
		if replica == StateNotReady {
			status = http.StatusServiceUnavailable
		}
		var lines strings.Builder
		if r.URL.Query().Has("verbose") {
			for _, c := range results {
				lines.WriteString(marks[c.State] + c.Name + " " + c.State)
				if c.Detail != "" {
					lines.WriteString(": " + c.Detail)
				}
				lines.WriteString("\n")
			}
		}
		writeText(w, status, lines.String()+replica+"\n")
	}
}

// guard refuses what a web page in an operator's browser could send.
func guard(next http.Handler, hosts []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		switch {
		case !hostAllowed(r.Host, hosts):
			forbid(w, r, "this server does not answer to that host name; add it to admin.hosts")
		case !ownPage(r):
			forbid(w, r, "requests of web pages from elsewhere are refused")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ownPage reports whether no page of another site has sent a request. Browsers
// say where a request comes from in Origin and Sec-Fetch-Site; programs say
// nothing. Following a link to a page of ours is allowed: it changes nothing,
// and who has set the link sees nothing of it.
func ownPage(r *http.Request) bool {
	if origins := r.Header.Values("Origin"); len(origins) > 0 {
		u, err := url.Parse(origins[0])
		if len(origins) > 1 || err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && !underAPI(r.URL)
}

func forbid(w http.ResponseWriter, r *http.Request, detail string) {
	if underAPI(r.URL) {
		WriteProblem(w, http.StatusForbidden, detail)
		return
	}
	writeText(w, http.StatusForbidden, detail+"\n")
}

// hostAllowed accepts IP addresses and localhost, which no attacker's DNS name
// can be, and the configured names.
func hostAllowed(host string, names []string) bool {
	if slices.Contains(names, "*") {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, host) })
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		writeText(w, http.StatusInternalServerError, "cannot encode the answer\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
