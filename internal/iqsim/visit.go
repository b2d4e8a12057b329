package iqsim

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"iqgateway/internal/pathpattern"
)

// visit is one request to a service, from its arrival to its ledger entry.
type visit struct {
	sim     *Sim
	to      address
	request *http.Request
	out     http.ResponseWriter // the connection, below every writer of ours
	answer  *dresser
	env     *environment
	profile *profile
	who     identity
	body    *bodyMeter
	bodyErr error
	faults  []Fault
	entry   LedgerEntry
	started time.Time
	settled bool // the outcome is in the ledger
}

// visit prepares the visit of a request that goes to a known service.
func (s *Sim) visit(w http.ResponseWriter, r *http.Request, to address) *visit {
	v := &visit{sim: s, to: to, out: w, env: s.environments[to.environment], started: time.Now()}
	v.request = below(r, to.path)
	v.profile = s.profiles.of(to.environment, to.quotaService())
	v.faults = s.strikes(r, to)
	if slices.ContainsFunc(v.faults, func(f Fault) bool { return f.At == AtHeaders || f.At == AtBody }) {
		w = &faultWriter{ResponseWriter: w, request: r, faults: v.faults}
	}
	folded, err := pathpattern.Fold(to.path)
	if err != nil {
		folded = to.path
	}
	arrival := s.options.Now()
	v.answer = &dresser{
		ResponseWriter: w, request: r, profile: v.profile, encoders: &s.encoders,
		folded: folded, arrival: arrival, now: s.options.Now,
	}
	v.entry = newEntry(r, to, arrival)
	for _, f := range v.faults {
		v.entry.Faults = append(v.entry.Faults, f.Kind)
	}
	return v
}

// strikes returns the faults for a request, ordered by it or armed.
func (s *Sim) strikes(r *http.Request, to address) []Fault {
	struck := s.faults.take(to, r.Method)
	if !s.Switches().FaultHeader {
		return struck
	}
	for _, text := range r.Header.Values("X-Sim-Fault") {
		f, err := ParseFault(text)
		if err != nil { // a test that orders nonsense must notice
			f = Fault{Kind: FaultStatus, Status: http.StatusNotImplemented, Body: err.Error() + "\n"}
		}
		if a, err := f.arm(); err == nil {
			struck = append(struck, a.Fault)
		}
	}
	return struck
}

func newEntry(r *http.Request, to address, arrival time.Time) LedgerEntry {
	header := r.Header.Clone()
	header.Del("Authorization")
	e := LedgerEntry{
		Time: arrival, Environment: to.environment, Service: to.service,
		Method: r.Method, Target: r.RequestURI, Host: r.Host, Remote: r.RemoteAddr, Proto: r.Proto,
		Header: header, Authorizations: len(r.Header.Values("Authorization")),
		Nonce: r.Header.Get("X-Sim-Nonce"),
	}
	if e.Nonce == "" && strings.Contains(r.URL.RawQuery, "sim-nonce=") {
		e.Nonce = r.URL.Query().Get("sim-nonce")
	}
	return e
}

// serve takes the request through everything; the entry is closed however it
// ends.
func (v *visit) serve(ctx context.Context) {
	v.who = v.env.identify(v.request, v.to.service, v.sim.Switches().LockAfter)
	v.entry.TokenSerial = v.who.token.serial
	v.entry.Account, v.entry.ClientID = v.who.token.account, v.who.token.clientID
	v.entry.Seq = v.sim.ledger.begin(v.entry)
	v.body, v.bodyErr = meter(v.request)
	if !v.body.ended { // else the server would read on before it lets an answer out
		_ = http.NewResponseController(v.out).EnableFullDuplex()
	}
	defer v.close()
	if v.entry.Nonce != "" {
		v.answer.Header().Set("X-Sim-Nonce", v.entry.Nonce)
	}
	switch {
	case v.strike(AtArrival):
	case v.bodyErr != nil:
		messageAnswer(v.answer, http.StatusBadRequest, "The request body cannot be read")
	case v.admit() && !v.strike(AtBefore):
		v.execute(ctx)
		v.strike(AtAfter)
	}
	v.settle()
	_ = v.answer.finish() // the client left: the entry is all that is of interest
}

// execute lets the service answer.
func (v *visit) execute(ctx context.Context) {
	if isPing(v.answer.folded) {
		ping(v.answer)
	} else {
		who := v.who.token
		ctx = withCall(ctx, call{
			Environment: v.to.environment, Service: v.to.service, Account: who.account,
			ClientID: who.clientID, Token: who.text, BaseURL: v.to.base,
		})
		v.env.services()[v.to.service].ServeHTTP(v.answer, v.request.WithContext(ctx))
	}
	v.answer.WriteHeader(http.StatusOK)
	v.entry.ServiceStatus = v.answer.status
	v.entry.Executed = v.answer.status < http.StatusBadRequest && v.body.err == nil
}

// settle enters the outcome in the ledger. It comes before the answer, so that
// who has the whole answer finds it there.
func (v *visit) settle() {
	v.settled = true
	v.body.report(&v.entry)
	v.entry.Status = v.answer.status
	v.sim.ledger.update(v.entry, true)
}

// close ends the ledger entry. It runs when a fault or a service aborts too.
func (v *visit) close() {
	if !v.body.ended {
		_ = http.NewResponseController(v.out).Flush() // the answer does not wait for the rest of the request
		v.body.drain()
	}
	v.body.report(&v.entry)
	v.entry.Status = 0
	if v.answer.started {
		v.entry.Status = v.answer.status
	}
	v.entry.Done = true
	v.entry.Duration = Duration(time.Since(v.started))
	v.sim.ledger.update(v.entry, !v.settled)
}

func isPing(folded string) bool { return folded == "/ping" || folded == "/v1/ping" }

// ping answers what the provider documents for every service.
func ping(w http.ResponseWriter) {
	engineJSON(w, http.StatusOK, struct {
		ApplicationVersion string
		DbVersion          int
	}{"2.0.0.1155", 17})
}

// remoteIP returns the address that a request came from.
func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
