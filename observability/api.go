package observability

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Endpoint is one path of the admin API with an operation for each of its
// methods; HEAD goes with GET.
type Endpoint struct {
	Path    string // as /api/v1/tokens, matched byte for byte; /api/v1/requests/* stands for one more segment
	Segment string // what stands for the *, as "request"
	Methods map[string]Operation
}

// Operation is one method of an endpoint: what serves it, and what
// [OpenAPI] says of it.
type Operation struct {
	Serve   http.HandlerFunc
	Summary string // one line without a full stop: what it does
	// Query are the parameters; any other is refused by Serve.
	Query []Parameter
	// Body is a value of the type that [ReadJSON] reads; nil = there is no body.
	Body any
	// Answer is a value of the type that [WriteJSON] writes with status 200, or
	// the [OneOf] of which it is.
	Answer any
	// Media is the type of an answer that is not JSON; Answer is nil then.
	Media string
	// Problems are the statuses of refusals beside those that tokens, hosts and
	// malformed bodies have everywhere.
	Problems []int
}

// OneOf are values of the types that an answer may have.
type OneOf []any

// Parameter is a parameter of a query.
type Parameter struct {
	Name, Summary string
	Required      bool
}

// API returns the handler of the endpoints, and of the document that describes
// them: any other path is 404, any other method 405, both as problems. It
// authorizes nobody: [Admin] does.
func API(endpoints ...Endpoint) http.Handler {
	endpoints = append(slices.Clip(endpoints), openAPIEndpoint(endpoints))
	byPath := make(map[string]Endpoint, len(endpoints))
	for _, e := range endpoints {
		byPath[e.Path] = e
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		e, ok := byPath[path]
		if !ok {
			e, ok = byPath[path[:strings.LastIndexByte(path, '/')+1]+"*"]
		}
		if !ok {
			WriteProblem(w, http.StatusNotFound, "the admin API has no such path; it has "+strings.Join(slices.Sorted(maps.Keys(byPath)), ", "))
			return
		}
		adminCallFrom(r.Context()).endpoint = e.Path
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		operation, ok := e.Methods[method]
		if !ok {
			w.Header().Set("Allow", e.allow())
			WriteProblem(w, http.StatusMethodNotAllowed, e.Path+" takes "+e.allow())
			return
		}
		operation.Serve(w, r)
	})
}

func (e Endpoint) allow() string {
	methods := slices.Collect(maps.Keys(e.Methods))
	if _, ok := e.Methods[http.MethodGet]; ok {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// WriteJSON answers v.
func WriteJSON(w http.ResponseWriter, status int, v any) { writeJSON(w, status, v) }

// apiProblem is a refusal or failure of the admin API.
type apiProblem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// WriteProblem answers a problem document (RFC 9457) whose title is the
// status's own. The detail is for the operator: what is wrong and what to do.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(apiProblem{cmp.Or(http.StatusText(status), "Error"), status, detail})
	if err != nil { // cannot happen: two texts and a number
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// ReadJSON decodes the body of a change into v: one JSON value, without
// members that v does not have. The error says what is wrong with it.
func ReadJSON(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	mistyped, is := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the body is empty, want a JSON object")
	case is && mistyped.Field != "": // encoding/json would name types of this program
		return fmt.Errorf("the body is not what is wanted: %s cannot be a JSON %s", mistyped.Field, mistyped.Value)
	case err != nil:
		return fmt.Errorf("the body is not what is wanted: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body goes on behind its JSON value")
	}
	return nil
}
