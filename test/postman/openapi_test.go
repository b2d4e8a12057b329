package postman_test

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"iqgateway/test/rig"
)

// description is the OpenAPI document of the admin API, with a validator of what
// it says of each answer.
type description struct {
	document map[string]any
	schemas  *jsonschema.Compiler
}

func readDescription(t *testing.T) *description {
	t.Helper()
	text, err := os.ReadFile(root("docs", "openapi.json"))
	rig.Must(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	rig.Must(t, err)
	seal(document)
	d := &description{document: document.(map[string]any), schemas: jsonschema.NewCompiler()}
	rig.Must(t, d.schemas.AddResource("openapi.json", document))
	return d
}

// seal lets objects have no members but those that are described, which clients
// have to bear and this test does not.
func seal(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			seal(item)
		}
	case map[string]any:
		for _, item := range v {
			seal(item)
		}
		_, described := v["properties"].(map[string]any)
		if _, said := v["additionalProperties"]; described && !said && v["type"] != nil {
			v["additionalProperties"] = false
		}
	}
}

// at returns what stands at keys of the document.
func (d *description) at(keys ...string) map[string]any {
	at := d.document
	for _, key := range keys {
		at, _ = at[key].(map[string]any)
	}
	return at
}

// path returns the template of a path, "" when none is described.
func (d *description) path(path string) string {
	for template := range d.at("paths") {
		begin, _, open := strings.Cut(template, "{")
		if template == path || open && strings.HasPrefix(path, begin) {
			return template
		}
	}
	return ""
}

// check reports whether the answer is JSON that is described, and as described.
func (d *description) check(template, method string, e execution) (described bool, err error) {
	status := strconv.Itoa(e.Response.Code)
	keys := []string{"paths", template, strings.ToLower(method), "responses", status}
	media := "application/json"
	if d.at(append(keys, "$ref")...) != nil || e.Response.Code >= 400 {
		keys, media = []string{"components", "responses", "Problem"}, "application/problem+json"
	}
	if d.at(append(keys, "content", media, "schema")...) == nil {
		return false, nil
	}
	pointer := "openapi.json#"
	for _, key := range append(keys, "content", media, "schema") {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
	}
	schema, err := d.schemas.Compile(pointer)
	if err != nil {
		return false, err
	}
	body := make([]byte, len(e.Response.Stream.Data))
	for i, b := range e.Response.Stream.Data {
		body[i] = byte(b)
	}
	answer, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	return true, schema.Validate(answer)
}

// wantDescribed: each answer of the admin API is as its OpenAPI document says,
// with nothing more, and every operation that answers JSON has been asked.
func wantDescribed(t *testing.T, executions []execution) {
	t.Helper()
	d := readDescription(t)
	checked := map[string]int{}
	for _, e := range executions {
		path := "/" + strings.Join(e.Request.URL.Path, "/")
		template := d.path(path)
		if template == "" {
			continue
		}
		operation := e.Request.Method + " " + template
		described, err := d.check(template, e.Request.Method, e)
		if err != nil {
			t.Errorf("%s (%s): %v", e.Item.Name, operation, err)
		}
		if described && e.Response.Code < 400 {
			checked[operation]++
		}
	}
	for template := range d.at("paths") {
		for method := range d.at("paths", template) {
			operation := strings.ToUpper(method) + " " + template
			json := d.at("paths", template, method, "responses", "200", "content", "application/json")
			if json != nil && checked[operation] == 0 {
				t.Errorf("%s was not answered", operation)
			}
		}
	}
	t.Logf("%d operations of the admin API answer as described", len(checked))
}
