package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
)

const (
	// questionFindRequest is what replicas ask each other: what became of a
	// request.
	questionFindRequest = "request.find"
	pathRequests        = "/api/v1/requests/"
	maxRequestID        = 64
)

// requestQuestion asks for the record of an exchange, for its caller or for an
// operator.
type requestQuestion struct {
	ID       string `json:"id"`
	Caller   string `json:"caller"`
	Operator bool   `json:"operator,omitempty"`
}

// requestFinder finds exchanges on whichever replica served them.
type requestFinder struct {
	replica string
	recent  *observability.Recent
	// ask has another replica answer the question.
	ask func(ctx context.Context, replica, kind string, payload []byte) ([]byte, error)
}

// find returns the document of an exchange, encoded. What the asker may not see
// is not there.
func (f requestFinder) find(ctx context.Context, q requestQuestion) ([]byte, bool) {
	replica, ok := replicaOf(q.ID)
	switch {
	case !ok:
		return nil, false
	case replica == f.replica:
		return f.here(q)
	}
	payload, err := json.Marshal(q)
	if err != nil {
		return nil, false
	}
	document, err := f.ask(ctx, replica, questionFindRequest, payload)
	return document, err == nil && len(document) > 0
}

// here looks among what this replica remembers.
func (f requestFinder) here(q requestQuestion) ([]byte, bool) {
	rec, found := f.recent.Find(q.ID)
	if !found || !q.Operator && (q.Caller == "" || rec.Caller == nil || rec.Caller.Name != q.Caller) {
		return nil, false
	}
	text, err := json.MarshalIndent(describeRequest(rec, f.replica), "", "  ")
	return append(text, '\n'), err == nil
}

// answer answers another replica; an empty answer says that there is none.
func (f requestFinder) answer(_ context.Context, payload []byte) ([]byte, error) {
	var q requestQuestion
	if err := json.Unmarshal(payload, &q); err != nil {
		return nil, err
	}
	document, _ := f.here(q)
	return document, nil
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
func (s *stores) askReplica(ctx context.Context, replica, kind string, payload []byte) ([]byte, error) {
	return s.fleet.Ask(ctx, replica, kind, payload)
}

// answers are what this replica answers to others.
func (s *stores) answers() map[string]fleet.Answerer {
	return map[string]fleet.Answerer{questionFindRequest: s.requests.answer}
}

// requestAdmin shows operators any exchange.
type requestAdmin struct{ finder requestFinder }

func (a requestAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{
		{Path: pathRequests + "*", Methods: map[string]http.HandlerFunc{http.MethodGet: a.show}},
	}
}

func (a requestAdmin) show(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.EscapedPath(), pathRequests)
	document, found := a.finder.find(r.Context(), requestQuestion{ID: id, Operator: true})
	if !found {
		observability.WriteProblem(w, http.StatusNotFound,
			"no replica that answers remembers a request with this id: each keeps its newest few thousand, and the last 1,000 that failed; older ones are in the access log")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document)
}
