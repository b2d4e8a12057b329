package iqsim

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// dataConnect is the DataConnect service of one environment.
type dataConnect struct {
	now      func() time.Time
	settings atomic.Pointer[DataConnectOptions]
	slots    dcSlots
	sessions dcSessions
	traffic  trafficCounts
	counters dcCounters
	routes   dcRoutes
}

// newDataConnect returns the DataConnect service of one environment, a
// *dataConnect. An answer that is cut short because the client left panics
// with http.ErrAbortHandler, so that nothing completes it by mistake.
func newDataConnect(o worldOptions) http.Handler {
	d := &dataConnect{now: o.Now}
	d.configure(o.DataConnect)
	d.routes = d.newRoutes()
	return d
}

// configure replaces the options, for requests that come later.
func (d *dataConnect) configure(o DataConnectOptions) {
	o = o.withDefaults()
	d.settings.Store(&o)
}

// options returns the options in force, with the defaults filled in.
func (d *dataConnect) options() DataConnectOptions { return *d.settings.Load() }

// stats returns what was counted so far.
func (d *dataConnect) stats() DataConnectStats {
	s := d.counters.snapshot()
	s.Active, s.MaxActive = d.slots.count()
	return s
}

// dataConnectAnonymous tells whether path, below the service, needs no token.
func dataConnectAnonymous(path string) bool {
	return strings.EqualFold(strings.TrimSuffix(path, "/"), "/version")
}

// dcRequest is one request, read.
type dcRequest struct {
	path    string // lower case, without a trailing slash
	params  dcParams
	format  dcFormat
	call    call
	now     time.Time
	options DataConnectOptions
}

// ServeHTTP answers one DataConnect request.
func (d *dataConnect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o := d.options()
	w.Header().Set("Cache-Control", "private")
	if err := d.admit(r, o); err != nil {
		writeDCError(w, err)
		return
	}
	if !dataConnectAnonymous(r.URL.Path) {
		database := o.database(callFrom(r.Context()).Account)
		if n, ok := d.slots.take(database, o.ActiveLimit); !ok {
			d.counters.refused.Add(1)
			writeDCError(w, refusef(http.StatusTooManyRequests,
				"Rate Limiting Applied. %d active requests are already in progress.", n))
			return
		}
		defer d.slots.release(database)
		if d.session(w, r, o) != nil || dcWait(r.Context(), time.Duration(o.Hold)) != nil {
			d.cut()
		}
	}
	if err := d.answer(w, r, o); err != nil {
		writeDCError(w, err)
	}
}

// admit refuses what needs no work to be refused.
func (d *dataConnect) admit(r *http.Request, o DataConnectOptions) error {
	caller := callFrom(r.Context())
	switch {
	case !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, r.Method):
		return refusef(http.StatusMethodNotAllowed, "The requested resource does not support http method '%s'.", r.Method)
	case dataConnectAnonymous(r.URL.Path):
		return nil
	case caller.Token == "":
		return refusef(http.StatusUnauthorized, "Token is invalid")
	case slices.Contains(o.Unmapped, caller.Account):
		return refusef(http.StatusForbidden, "Unauthorized")
	case o.Overloaded:
		return refusef(http.StatusServiceUnavailable, "The service is overloaded. Please try again later.")
	default:
		return nil
	}
}

// answer finds the data, puts it into its format and sends it, to the client or
// into the outbox. An error is one that can still be answered.
func (d *dataConnect) answer(w http.ResponseWriter, r *http.Request, o DataConnectOptions) error {
	params, err := readDCParams(r)
	if err != nil {
		return err
	}
	format, err := parseDCFormat(params)
	if err != nil {
		return err
	}
	source, err := d.routes.find(r.URL.Path)
	if err != nil {
		return err
	}
	q := dcRequest{
		path:   foldPath(r.URL.Path),
		params: params, format: format, call: callFrom(r.Context()), now: d.now(), options: o,
	}
	t, err := source(q)
	if err != nil {
		return err
	}
	if o.RowLimit >= 0 && t.estimate > o.RowLimit {
		return refusef(o.RowLimitStatus, "The request was blocked: about %d rows are more than the limit of %d. "+
			"Ask for a shorter period or fewer locations.", t.estimate, o.RowLimit)
	}
	if format.mail {
		return d.mail(w, r, q, t)
	}
	d.send(w, r, q, t)
	return nil
}

// send writes t to the client.
func (d *dataConnect) send(w http.ResponseWriter, r *http.Request, q dcRequest, t dcTable) {
	w.Header().Set("Content-Type", q.format.mediaType)
	if q.format.attached(q.params) {
		w.Header().Set("Content-Disposition", "attachment;filename="+q.format.filename(q.params, t.name, q.now))
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		d.counters.completed.Add(1)
		return
	}
	sink := &dcSink{w: w, sent: &d.counters.bytesSent, ready: pacer(r.Context(), time.Duration(q.options.ChunkPause))}
	if err := q.format.write(sink, t); err != nil {
		d.cut()
	}
	d.counters.completed.Add(1)
}

// cut counts and ends an answer whose client has left.
func (d *dataConnect) cut() {
	d.counters.cancelled.Add(1)
	panic(http.ErrAbortHandler)
}
