package cache

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const jsonMedia = "application/json"

func TestCanonicalBodyOfEqualBodies(t *testing.T) {
	tests := []struct{ name, typeA, a, typeB, b string }{
		{"white space", jsonMedia, `{"CatalogItemIds":["a","b"]}`, jsonMedia, " {\n\t\"CatalogItemIds\" : [ \"a\" , \"b\" ] }\r\n"},
		{"order of names", jsonMedia, `{"a":1,"b":{"c":2,"d":3}}`, jsonMedia, `{"b":{"d":3,"c":2},"a":1}`},
		{"escapes", jsonMedia, `{"A":"é/\n"}`, jsonMedia, `{"\u0041":"\u00e9\/\u000a"}`},
		{"surrogate pair", jsonMedia, `"😀"`, jsonMedia, `"\ud83d\ude00"`},
		{"media type", "application/json; charset=utf-8", `[]`, `Application/JSON ;charset="UTF-8"`, `[]`},
		{"empty body", "", "", "", ""},
	}
	for _, tt := range tests {
		a, okA := canonicalBody(tt.typeA, []byte(tt.a))
		b, okB := canonicalBody(tt.typeB, []byte(tt.b))
		if !okA || !okB || a != b {
			t.Errorf("%s: %s (%v) and %s (%v)", tt.name, a, okA, b, okB)
		}
	}
}

func TestCanonicalBodyOfDifferentBodies(t *testing.T) {
	seen := map[string]string{}
	for _, body := range []string{
		``, `0`, `-0`, `0.0`, `0e0`, `1`, `1.0`, `10`, `1e1`, `12345678901234567890`, `12345678901234567891`,
		`"1"`, `"0"`, `""`, `null`, `"null"`, `true`, `false`, `[]`, `[[]]`, `[[],[]]`, `{}`, `[{}]`, `{"":{}}`,
		`[1,2]`, `[2,1]`, `[12]`, `["1,2"]`, `["1","2"]`, `{"a":1}`, `{"A":1}`, `{"a":"1"}`, `{"a":[1]}`,
		`{"a":{"b":1}}`, `{"a":1,"b":1}`, `"3\"abc"`, `"é"`, `"e\u0301"`,
	} {
		digest, ok := canonicalBody(jsonMedia, []byte(body))
		if !ok || len(digest) != 64 {
			t.Errorf("%s: %q, %v", body, digest, ok)
		}
		if other, twice := seen[digest]; twice {
			t.Errorf("%s and %s have one digest", body, other)
		}
		seen[digest] = body
	}
	asText, ok := canonicalBody("application/vnd.x+json", []byte(`1`))
	if _, twice := seen[asText]; twice || !ok {
		t.Error("the media type is not part of the digest")
	}
}

func TestCanonicalBodyRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct{ name, contentType, body string }{
		{"no type", "", `{}`},
		{"not JSON by type", "application/x-www-form-urlencoded", `1`},
		{"text", "text/plain", `{}`},
		{"broken type", "application/json;;=", `{}`},
		{"other charset", "application/json; charset=utf-16", `{}`},
		{"no document", "model/gltf+json", `{}`},
		{"XML", jsonMedia, `<a/>`},
		{"cut", jsonMedia, `{"a":1`},
		{"two values", jsonMedia, `1 2`},
		{"trailing comma", jsonMedia, `[1,]`},
		{"leading zero", jsonMedia, `01`},
		{"comment", jsonMedia, `{} // x`},
		{"byte order mark", jsonMedia, "\ufeff{}"},
		{"repeated name", jsonMedia, `{"a":1,"a":1}`},
		{"repeated name, escaped", jsonMedia, `{"a":1,"b":0,"\u0061":2}`},
		{"repeated name, inside", jsonMedia, `[{"x":{"a":1,"a":2}}]`},
		{"invalid UTF-8", jsonMedia, "\"\xff\""},
		{"lone surrogate", jsonMedia, `"\ud800"`},
		{"lone surrogate as a name", jsonMedia, `{"\udfff":1}`},
		{"replacement character", jsonMedia, "\"\ufffd\""}, // reads as any of the three above
		{"too deep", jsonMedia, deep(maxBodyDepth + 1)},
		{"far too deep", jsonMedia, deep(100_000)},
	}
	for _, tt := range tests {
		if digest, ok := canonicalBody(tt.contentType, []byte(tt.body)); ok || digest != "" {
			t.Errorf("%s: %q, %v", tt.name, digest, ok)
		}
	}
	if _, ok := canonicalBody(jsonMedia, []byte(deep(maxBodyDepth))); !ok {
		t.Error("the deepest that is allowed is refused")
	}
}

// Equal digests if and only if the two are the same JSON.
func FuzzCanonicalBody(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[true,null,"x"]}`), []byte(`{ "b" : [true,null,"\u0078"], "a":1 }`))
	f.Add([]byte(`{"a":1.0}`), []byte(`{"a":1}`))
	f.Add([]byte(`"3\"abc"`), []byte(`["3","abc"]`))
	f.Add([]byte(`"\ud800"`), []byte("\"\ufffd\""))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		digestA, okA := canonicalBody(jsonMedia, a)
		digestB, okB := canonicalBody(jsonMedia, b)
		if !okA || !okB || len(a) == 0 || len(b) == 0 {
			return
		}
		valueA, valueB := decodedJSON(t, a), decodedJSON(t, b)
		if same := reflect.DeepEqual(valueA, valueB); same != (digestA == digestB) {
			t.Errorf("%q and %q: same JSON %v, same digest %v", a, b, same, !same)
		}
		var respelled bytes.Buffer
		encoder := json.NewEncoder(&respelled)
		encoder.SetIndent(" ", "\t")
		if err := encoder.Encode(valueA); err != nil {
			t.Fatal(err)
		}
		if digest, _ := canonicalBody(jsonMedia, respelled.Bytes()); digest != digestA {
			t.Errorf("%q respelled as %q has another digest", a, respelled.Bytes())
		}
	})
}

func decodedJSON(t *testing.T, body []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q has a digest and is not JSON: %v", body, err)
	}
	return v
}

func BenchmarkCanonicalBody(b *testing.B) {
	body := []byte(`{"CatalogItemIds":["` + strings.Repeat(`7d2a53a2-fbc0-4b3e-9f28-3a8b9b4b9c1e","`, 500) + `"]}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, ok := canonicalBody(jsonMedia, body); !ok {
			b.Fatal("refused")
		}
	}
}
