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

// Endpoint is one path of the admin API with a handler for each of its
// methods; HEAD goes with GET.
type Endpoint struct {
	Path    string // as /api/v1/tokens, matched byte for byte; /api/v1/requests/* stands for one more segment
	Methods map[string]http.HandlerFunc
}

// API returns the handler of the endpoints: any other path is 404, any other
// method 405, both as problems. It authorizes nobody: [Admin] does.
func API(endpoints ...Endpoint) http.Handler {
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
		handle, ok := e.Methods[method]
		if !ok {
			w.Header().Set("Allow", e.allow())
			WriteProblem(w, http.StatusMethodNotAllowed, e.Path+" takes "+e.allow())
			return
		}
		handle(w, r)
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

// WriteProblem answers a problem document (RFC 9457) whose title is the
// status's own. The detail is for the operator: what is wrong and what to do.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{cmp.Or(http.StatusText(status), "Error"), status, detail})
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
