package config

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// validator knows the part of JSON Schema that ours uses.
type validator struct{ defs map[string]any }

func (v validator) check(schema map[string]any, value any, path string) error {
	if ref, ok := schema["$ref"].(string); ok {
		return v.check(v.defs[ref[len("#/$defs/"):]].(map[string]any), value, path)
	}
	if options, ok := schema["anyOf"].([]any); ok {
		var err error
		for _, o := range options {
			if err = v.check(o.(map[string]any), value, path); err == nil {
				return nil
			}
		}
		return err
	}
	if want, ok := schema["const"]; ok && want != value {
		return fmt.Errorf("%s: %v is not %v", path, value, want)
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, value) {
		return fmt.Errorf("%s: %v is not one of %v", path, value, enum)
	}
	switch typed := value.(type) {
	case map[string]any:
		return v.object(schema, typed, path)
	case []any:
		items, ok := schema["items"].(map[string]any)
		if !ok {
			return fmt.Errorf("%s: is a list", path)
		}
		for i, item := range typed {
			if err := v.check(items, item, index(path, i)); err != nil {
				return err
			}
		}
		return nil
	default:
		return v.scalar(schema, value, path)
	}
}

func (v validator) object(schema, value map[string]any, path string) error {
	if schema["type"] != "object" {
		return fmt.Errorf("%s: is a mapping", path)
	}
	for key, inner := range value {
		at := join(path, key)
		properties, _ := schema["properties"].(map[string]any)
		property, known := properties[key].(map[string]any)
		patterns, _ := schema["patternProperties"].(map[string]any)
		for pattern, s := range patterns {
			if !known && regexp.MustCompile(pattern).MatchString(key) {
				property, known = s.(map[string]any)
			}
		}
		if !known {
			return fmt.Errorf("%s: unknown key", at)
		}
		if err := v.check(property, inner, at); err != nil {
			return err
		}
	}
	required, _ := schema["required"].([]any)
	for _, key := range required {
		if _, has := value[key.(string)]; !has {
			return fmt.Errorf("%s: %s is missing", path, key)
		}
	}
	return nil
}

func (v validator) scalar(schema map[string]any, value any, path string) error {
	name := ""
	switch value.(type) {
	case string:
		name = "string"
	case bool:
		name = "boolean"
	case int:
		name = "integer"
	case float64:
		name = "number"
	}
	switch types := schema["type"].(type) {
	case string:
		if types != name && (types != "number" || name != "integer") {
			return fmt.Errorf("%s: is %s, want %s", path, name, types)
		}
	case []any:
		if !slices.Contains(types, any(name)) && name != "integer" {
			return fmt.Errorf("%s: is %s, want %v", path, name, types)
		}
	}
	text, isText := value.(string)
	if pattern, ok := schema["pattern"].(string); ok && isText && !regexp.MustCompile(pattern).MatchString(text) {
		return fmt.Errorf("%s: %q does not match %s", path, text, pattern)
	}
	if n, ok := value.(int); ok {
		if low, has := schema["minimum"].(float64); has && float64(n) < low {
			return fmt.Errorf("%s: %d is below %v", path, n, low)
		}
		if high, has := schema["maximum"].(float64); has && float64(n) > high {
			return fmt.Errorf("%s: %d is above %v", path, n, high)
		}
	}
	return nil
}

func jsonSchema(t *testing.T) map[string]any {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestJSONSchemaAcceptsTheExamples(t *testing.T) {
	schema := jsonSchema(t)
	v := validator{schema["$defs"].(map[string]any)}
	for _, name := range exampleNames() {
		text, err := os.ReadFile("../examples/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if err := yaml.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		if err := v.check(schema, document, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJSONSchemaRefuses(t *testing.T) {
	schema := jsonSchema(t)
	v := validator{schema["$defs"].(map[string]any)}
	for _, text := range []string{
		"{}",
		"{version: 2}",
		"{version: 1, servers: {}}",
		"{version: 1, server: {lame_duck: 5}}",
		"{version: 1, server: {hosts: a}}",
		"{version: 1, server: {tls: {mode: tls}}}",
		"{version: 1, services: {CRM: {}}}",
		"{version: 1, services: {crm: {quota: {max: 0}}}}",
		"{version: 1, services: {crm: {cache: {rules: [{path: /x}]}}}}",
		"{version: 1, admin: {pprof: 1}}",
		"{version: 1, callers: {a: {access: [{credential: x, services: {crm: admin}}]}}}",
	} {
		var document map[string]any
		if err := yaml.Unmarshal([]byte(text), &document); err != nil {
			t.Fatal(err)
		}
		if err := v.check(schema, document, ""); err == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}

// The descriptions are the comments of the schema, defaults are values.
func TestJSONSchemaDescribes(t *testing.T) {
	schema := jsonSchema(t)
	timeouts := schema["$defs"].(map[string]any)["Timeouts"].(map[string]any)["properties"].(map[string]any)
	total := timeouts["total"].(map[string]any)
	if total["description"] != "Total bounds the exchange: waiting for quota, all attempts, the body." || total["default"] != "120s" {
		t.Errorf("total is described as %v", total)
	}
	retry := schema["$defs"].(map[string]any)["Retry"].(map[string]any)["properties"].(map[string]any)
	if got := fmt.Sprint(retry["statuses"].(map[string]any)["default"]); got != "[502 503 504]" {
		t.Errorf("default of statuses: %s", got)
	}
}
