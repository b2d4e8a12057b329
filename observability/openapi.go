package observability

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// pathOpenAPI is where [API] serves its own description.
const pathOpenAPI = "/api/v1/openapi.json"

// object is a JSON object of the document.
type object = map[string]any

// OpenAPI returns the OpenAPI 3.1 document of the admin server with these
// endpoints: what they declare, with the schemas of their Go types. An endpoint
// that does not declare enough is an error, which names it.
func OpenAPI(endpoints ...Endpoint) ([]byte, error) {
	w := &openAPIWriter{schemas: schemaWriter{components: object{}, types: map[string]reflect.Type{}}}
	paths := object{}
	for _, e := range append(slices.Clip(endpoints), openAPIEndpoint(nil)) {
		paths[e.template()] = w.path(e, true)
	}
	for _, e := range openEndpoints(AdminOptions{}) {
		paths[e.Path] = w.path(e, false)
	}
	w.schemas.named(apiProblem{})
	if err := errors.Join(append(w.failed, w.schemas.failed...)...); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "iqgateway admin API", "version": "v1",
			"description": "What the admin server of one replica answers. Changes act on the whole fleet where their answer counts replicas. " +
				"Members may be added to answers; a member of a request that is not known is refused.",
			"license": object{"name": "see LICENSE"},
		},
		"servers": []any{object{"url": "/", "description": "the admin server: admin.address, by default http://127.0.0.1:9090"}},
		"paths":   paths,
		"components": object{
			"schemas": w.schemas.components, "securitySchemes": securitySchemes(),
			"responses": object{"Problem": object{"description": "why it was refused or failed, and what to do (RFC 9457)", "content": object{
				"application/problem+json": object{"schema": refTo("ApiProblem")},
			}}},
		},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the OpenAPI document: %w", err)
	}
	return append(text, '\n'), nil
}

func securitySchemes() object {
	return object{
		"token":       object{"type": "http", "scheme": "bearer", "description": "admin.token: reads and changes"},
		"readToken":   object{"type": "http", "scheme": "bearer", "description": "admin.read_token: only reads"},
		"certificate": object{"type": "mutualTLS", "description": "a client certificate of admin.tls.client_ca_file"},
	}
}

type openAPIWriter struct {
	schemas schemaWriter
	failed  []error
}

// template is the path as OpenAPI writes it.
func (e Endpoint) template() string {
	if rest, ok := strings.CutSuffix(e.Path, "*"); ok {
		return rest + "{" + e.Segment + "}"
	}
	return e.Path
}

func (w *openAPIWriter) path(e Endpoint, guarded bool) object {
	item := object{}
	if strings.HasSuffix(e.Path, "*") {
		item["parameters"] = []any{object{"name": e.Segment, "in": "path", "required": true, "schema": object{"type": "string"}}}
		w.want(e.Segment != "", e.Path, "its Segment has no name")
	}
	for _, method := range slices.Sorted(maps.Keys(e.Methods)) {
		item[strings.ToLower(method)] = w.operation(e, method, guarded)
	}
	return item
}

func (w *openAPIWriter) operation(e Endpoint, method string, guarded bool) object {
	o, change, place := e.Methods[method], method != http.MethodGet, method+" "+e.Path
	w.want(o.Summary != "" && !strings.HasSuffix(o.Summary, "."), place, "it needs a Summary without a full stop")
	w.want((o.Answer == nil) != (o.Media == ""), place, "it needs an Answer, or the Media of one that is no JSON")
	w.want(o.Body == nil || change, place, "a GET has no Body")
	operation := object{
		"summary": o.Summary, "operationId": operationID(method, e.Path), "tags": []string{tagOf(e.Path)},
		"security": security(guarded, change),
	}
	if len(o.Query) > 0 {
		operation["parameters"] = parameters(o.Query)
	}
	if o.Body != nil {
		w.schemas.closed = true
		schema := w.schemas.named(o.Body)
		w.schemas.closed = false
		operation["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schema}}}
	}
	operation["responses"] = w.responses(o, guarded)
	return operation
}

func (w *openAPIWriter) want(is bool, place, what string) {
	if !is {
		w.failed = append(w.failed, fmt.Errorf("%s: %s", place, what))
	}
}

func (w *openAPIWriter) responses(o Operation, guarded bool) object {
	content := object{o.Media: object{"schema": object{"type": "string"}}}
	if o.Media == "" {
		content = object{"application/json": object{"schema": w.schemas.named(o.Answer)}}
	}
	all := object{"200": object{"description": "done", "content": content}}
	statuses := slices.Clone(o.Problems)
	if guarded {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	if o.Body != nil {
		statuses = append(statuses, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if guarded && len(o.Query) > 0 {
		statuses = append(statuses, http.StatusBadRequest)
	}
	for _, status := range statuses {
		all[strconv.Itoa(status)] = object{"$ref": "#/components/responses/Problem"}
		if !guarded { // a probe says why in its own words
			all[strconv.Itoa(status)] = object{"description": http.StatusText(status), "content": content}
		}
	}
	return all
}

// security lists what is enough, each by itself. Reading is open where no token
// is configured.
func security(guarded, change bool) []any {
	switch {
	case !guarded:
		return []any{}
	case change:
		return []any{object{"token": []any{}}, object{"certificate": []any{}}}
	}
	return []any{object{}, object{"token": []any{}}, object{"readToken": []any{}}, object{"certificate": []any{}}}
}

func parameters(all []Parameter) []any {
	var list []any
	for _, p := range all {
		list = append(list, object{"name": p.Name, "in": "query", "description": p.Summary, "required": p.Required, "schema": object{"type": "string"}})
	}
	return list
}

// operationID is postBreakersOpen for POST /api/v1/breakers/open.
func operationID(method, path string) string {
	var id strings.Builder
	id.WriteString(strings.ToLower(method))
	for word := range strings.FieldsFuncSeq(strings.TrimPrefix(path, "/api/v1"), func(r rune) bool { return strings.ContainsRune("/-_.*", r) }) {
		id.WriteString(upperFirst(word))
	}
	return id.String()
}

// tagOf groups operations by what they are about.
func tagOf(path string) string {
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	if !ok {
		return "probes"
	}
	name, _, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(name, ".json")
}

func upperFirst(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// openAPIEndpoint serves the document of endpoints and itself.
func openAPIEndpoint(endpoints []Endpoint) Endpoint {
	document := sync.OnceValues(func() ([]byte, error) { return OpenAPI(endpoints...) })
	return Endpoint{Path: pathOpenAPI, Methods: map[string]Operation{http.MethodGet: {
		Summary: "Describe this API (OpenAPI 3.1)", Answer: object{},
		Serve: func(w http.ResponseWriter, _ *http.Request) {
			text, err := document()
			if err != nil {
				WriteProblem(w, http.StatusInternalServerError, "the API is not described: "+err.Error())
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(text)
		},
	}}}
}
