package observability_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"iqgateway/observability"
)

type (
	part  struct{ Size uint64 }
	thing struct {
		part

		Name   string         `json:"name"`
		At     time.Time      `json:"at,omitzero"`
		Parts  []part         `json:"parts"`
		Counts map[string]int `json:"counts,omitempty"`
		Parent *thing         `json:"parent"`
		hidden string
	}
)

func declared(o observability.Operation) observability.Endpoint {
	return observability.Endpoint{Path: "/api/v1/things", Methods: map[string]observability.Operation{http.MethodPost: o}}
}

// The schema of a type is what encoding/json makes of its values.
func TestOpenAPISchemas(t *testing.T) {
	text, err := observability.OpenAPI(declared(observability.Operation{Summary: "Make a thing", Body: part{}, Answer: thing{hidden: ""}}))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Observability_testPart": `{"type": "object", "required": ["Size"], "properties": {"Size": {"type": "integer", "minimum": 0}}, "additionalProperties": false}`,
		"Observability_testThing": `{"type": "object", "required": ["Size", "name", "parts", "parent"], "properties": {
			"Size": {"type": "integer", "minimum": 0}, "name": {"type": "string"}, "at": {"type": "string", "format": "date-time"},
			"parts": {"type": "array", "items": {"$ref": "#/components/schemas/Observability_testPart"}},
			"counts": {"type": "object", "additionalProperties": {"type": "integer"}},
			"parent": {"anyOf": [{"$ref": "#/components/schemas/Observability_testThing"}, {"type": "null"}]}}}`,
	} {
		var wanted any
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if got := document.Components.Schemas[name]; !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s is\n%v, want\n%v", name, got, wanted)
		}
	}
}

// An endpoint that does not say what it takes and answers is named.
func TestOpenAPIWantsDeclarations(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoint observability.Endpoint
		want     string
	}{
		"nothing":        {declared(observability.Operation{}), "POST /api/v1/things: it needs a Summary"},
		"a full stop":    {declared(observability.Operation{Summary: "Make.", Answer: thing{}}), "without a full stop"},
		"no answer":      {declared(observability.Operation{Summary: "Make"}), "it needs an Answer"},
		"two answers":    {declared(observability.Operation{Summary: "Make", Answer: thing{}, Media: "text/csv"}), "it needs an Answer"},
		"a GET's body":   {observability.Endpoint{Path: "/x", Methods: map[string]observability.Operation{"GET": {Summary: "See", Body: part{}, Answer: part{}}}}, "no Body"},
		"a nameless one": {observability.Endpoint{Path: "/x/*", Methods: map[string]observability.Operation{"GET": {Summary: "See", Answer: part{}}}}, "Segment"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := observability.OpenAPI(tt.endpoint); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
