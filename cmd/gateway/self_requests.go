package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/fleet"
	"iqgateway/internal/redisconn"
	"iqgateway/observability"
)

const (
	// questionFindRequest is what replicas ask each other: what became of a
	// request.
	questionFindRequest = "request.find"
	pathRequests        = "/api/v1/requests/"
	maxRequestID        = 64
)

// requestQuestion asks for the record of an exchange, or for those of a trace, for
// its caller or for an operator.
type requestQuestion struct {
	ID       string `json:"id"` // of the request, or of the trace
	Caller   string `json:"caller"`
	Operator bool   `json:"operator,omitempty"`
}

// requestFinder finds exchanges on whichever replica served them.
type requestFinder struct {
	replica string
	recent  *observability.Recent
	// ask has another replica answer the question of a caller, "" for an operator;
	// askAll all that are alive, this one too.
	ask    func(ctx context.Context, caller, replica, kind string, payload []byte) ([]byte, error)
	askAll func(ctx context.Context, caller, kind string, payload []byte) ([]fleet.Answer, error)
	// traceURL is where people see a trace, "" = nowhere.
	traceURL func(exchange.TraceID) string
}

// askAgain is after how long a replica may be asked again that could not be.
const askAgain = 2 * time.Second

// find returns the document of an exchange or of a trace, encoded; empty = there
// is none. What the asker may not see is not there. An error says that nobody can
// tell now.
func (f requestFinder) find(ctx context.Context, q requestQuestion) ([]byte, error) {
	if id, is := traceOf(q.ID); is {
		return f.findTrace(ctx, q, id)
	}
	replica, ok := replicaOf(q.ID)
	switch {
	case !ok:
		return nil, nil
	case replica == f.replica:
		return f.here(q), nil
	}
	payload, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	document, err := f.ask(ctx, q.Caller, replica, questionFindRequest, payload)
	if errors.Is(err, fleet.ErrNobody) || errors.Is(err, redisconn.ErrNoKeys) { // nor ever will anybody
		return nil, nil
	}
	return document, err
}

// here looks among what this replica remembers.
func (f requestFinder) here(q requestQuestion) []byte {
	rec, found := f.recent.Find(q.ID)
	if !found || !q.maySee(&rec) {
		return nil
	}
	return encoded(f.describe(q, rec))
}

// maySee reports whether the record is the asker's to see. Background work is
// nobody's, whoever happened to have it done.
func (q requestQuestion) maySee(rec *observability.Record) bool {
	return q.Operator || q.Caller != "" && !rec.Work && rec.Caller != nil && rec.Caller.Name == q.Caller
}

func encoded(document any) []byte {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil { // cannot happen: texts, numbers and times
		return nil
	}
	return append(text, '\n')
}

// answer answers another replica; an empty answer says that there is none.
func (f requestFinder) answer(_ context.Context, payload []byte) ([]byte, error) {
	var q requestQuestion
	if err := json.Unmarshal(payload, &q); err != nil {
		return nil, err
	}
	return f.here(q), nil
}

// replicaOf reads the replica's name from a request id; false = it is none.
func replicaOf(id string) (string, bool) {
	at := strings.LastIndexByte(id, '-')
	if len(id) > maxRequestID || at <= 0 || at == len(id)-1 {
		return "", false
	}
	for i := range len(id) {
		if c := id[i]; i != at && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", false
		}
	}
	return id[:at], true
}

// askReplica asks another replica through the fleet's store.
func (s *stores) askReplica(ctx context.Context, caller, replica, kind string, payload []byte) ([]byte, error) {
	return s.fleet.Ask(ctx, caller, replica, kind, payload)
}

func (s *stores) askReplicas(ctx context.Context, caller, kind string, payload []byte) ([]fleet.Answer, error) {
	return s.fleet.AskAll(ctx, caller, kind, payload)
}

// answers are what this replica answers to others.
func (s *stores) answers() map[string]fleet.Answerer {
	return map[string]fleet.Answerer{
		questionFindRequest: s.requests.answer, questionFindTrace: s.requests.answerTrace,
		questionStatus: func(ctx context.Context, payload []byte) ([]byte, error) { return s.describe(ctx, payload) },
		questionReload: func(ctx context.Context, payload []byte) ([]byte, error) { return s.reloaded(ctx, payload) },
	}
}

// requestAdmin shows operators any exchange.
type requestAdmin struct{ finder requestFinder }

func (a requestAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		{Path: pathRequests + "*", Segment: "id", Methods: map[string]observability.Operation{http.MethodGet: {
			Serve: a.show, Summary: "Explain a request, by its id or its trace's", Answer: requestDocument{},
			Problems: []int{http.StatusNotFound, http.StatusServiceUnavailable},
		}}},
	}
}

func (a requestAdmin) show(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.EscapedPath(), pathRequests)
	document, err := a.finder.find(r.Context(), requestQuestion{ID: id, Operator: true})
	switch {
	case err != nil:
		w.Header().Set("Retry-After", strconv.Itoa(int(askAgain.Seconds())))
		observability.WriteProblem(w, http.StatusServiceUnavailable, "the replicas that may know cannot be asked now: "+err.Error())
		return
	case len(document) == 0:
		observability.WriteProblem(w, http.StatusNotFound,
			"no replica that answers remembers a request with this id, or one of this trace: each keeps its newest few thousand, the last 1,000 that failed, and of background work a few dozen. "+
				"Older ones are in the access log, and what is exported in its trace. Of more than "+strconv.Itoa(fleet.MaxReplicas)+" other replicas the rest are not asked for a trace")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document)
}
