package redisstore_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"iqgateway/limiter"
	"iqgateway/limiter/redisstore"
)

// plainState is what a Shared holds, by the names of its fields, as Lua's
// tables do: numbers are float64, and what is zero or empty is left out.
func plainState(s *limiter.Shared) any { return plain(reflect.ValueOf(*s)) }

func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			addPlain(fields, v.Type().Field(i).Name, plain(v.Field(i)))
		}
		return fields
	case reflect.Slice, reflect.Array:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = plain(v.Index(i))
		}
		return items
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int64:
		return float64(v.Int())
	case reflect.Uint8:
		return float64(v.Uint())
	case reflect.Float64:
		return v.Float()
	default:
		panic(fmt.Sprintf("a state holds a %v", v.Kind()))
	}
}

func addPlain(fields map[string]any, name string, v any) {
	items, isList := v.([]any)
	table, isTable := v.(map[string]any)
	if v == 0.0 || v == "" || v == false || v == nil || isList && len(items) == 0 || isTable && len(table) == 0 {
		return
	}
	fields[name] = v
}

// packedState is what lies in Redis, in the same form.
func packedState(t testing.TB, text string) any {
	t.Helper()
	rest, ok := strings.CutPrefix(text, redisstore.Magic)
	if !ok {
		t.Fatalf("a state begins with %.20q", text)
	}
	v, err := unpack([]byte(rest))
	if err != nil {
		t.Fatal(err)
	}
	return tidy(v)
}

// tidy leaves out what addPlain does.
func tidy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		fields := map[string]any{}
		for name, field := range v {
			if text, isText := field.(string); isText && name == "SharesID" {
				number, _ := strconv.ParseFloat(text, 64)
				field = number
			}
			if rows, isList := field.([]any); isList && name == "Uses" {
				field = useFields(rows)
			}
			addPlain(fields, name, tidy(field))
		}
		return fields
	case []any:
		for i := range v {
			v[i] = tidy(v[i])
		}
	}
	return v
}

// useFields gives the rows of uses the names of their fields.
func useFields(rows []any) []any {
	out := make([]any, len(rows))
	for i, row := range rows {
		fields := map[string]any{}
		for k, v := range row.([]any) {
			fields[reflect.TypeFor[limiter.Use]().Field(k).Name] = v
		}
		out[i] = fields
	}
	return out
}
