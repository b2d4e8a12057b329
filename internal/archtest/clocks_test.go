package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// Durations and deadlines are differences of times with their monotonic reading,
// which no operator and no time server can set. Taking a time apart loses that
// reading, so the places that do it are few, and each has its reason.

// wallReadings names the files that take the wall clock's part of a time, or
// make a time of numbers, and why that is right there.
var wallReadings = map[string]string{
	"auth/gatewaytoken.go":               "a token that every replica must judge alike is dated by the wall clock",
	"auth/redisstore/store.go":           "instants to be shown, to the second",
	"auth/uses.go":                       "instants to be shown, to the second",
	"cache/conditional.go":               "RFC 9110 compares an answer's Date with its Last-Modified: both are the upstream's",
	"cache/memory.go":                    "a start that monotonic time is added to",
	"cache/redisstore/clock.go":          "Redis' clock, and monotonic differences from there",
	"cache/redisstore/tier_call.go":      "Redis' clock",
	"cache/suggest.go":                   "a suggestion of sizes: nothing that is served hangs on it",
	"cmd/gateway/quota_document.go":      "names a window that is past",
	"cmd/gateway/quota_seen.go":          "when a window ends, to be shown",
	"internal/fleet/redisstore/codec.go": "Redis' clock",
	"internal/fleet/redisstore/store.go": "Redis' clock",
	"internal/fleet/store.go":            "the store's clock",
	"limiter/local_named.go":             "the upstream's Reset, as a name",
	"limiter/local_view.go":              "the upstream's Reset, as a name",
	"limiter/memory.go":                  "a start that monotonic time is added to",
	"limiter/status.go":                  "the store's clock, to be shown",
	"internal/fleet/run.go":              "by how much this wall clock is off from the store's, for operators to see",
	"observability/instruments.go":       "gauges of instants and expiries, by the clock of whoever reads them",
	"proxy/sanitize_watchdog.go":         "a deadline that has passed for certain",
	"tokencache/historyfile.go":          "what a restart must not forget can only be dated by the wall clock",
	"tokencache/redisstore/clock.go":     "Redis' clock, and monotonic differences from there",
	"tokencache/redisstore/reply.go":     "Redis' clock",
	"usage/usage.go":                     "days are those of the calendar",
	"tokencache/schedule.go":             "the stricter of both clocks ends a token: a suspended machine's monotonic one stands still",
}

// REL-38: nothing that lasts beyond a request counts on the wall clock.
func TestREL38WallClockReadingsHaveReasons(t *testing.T) {
	dir, met := root(t), map[string]bool{}
	for _, f := range sources(t, dir) {
		if f.isTest() || isUnserved(f.path) || f.pkg() == "internal/clocktest" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, filepath.FromSlash(f.path)), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		met[f.path] = readsWall(parsed)
		if _, allowed := wallReadings[f.path]; met[f.path] && !allowed {
			t.Errorf("%s takes the wall clock's part of a time: count on monotonic differences, or give the reason here", f.path)
		}
	}
	for path := range wallReadings {
		if !met[path] {
			t.Errorf("%s takes no wall clock's part of a time: take it off the list", path)
		}
	}
}

func readsWall(f *ast.File) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch s.Sel.Name {
		case "Unix", "UnixMilli", "UnixMicro", "UnixNano":
			found = true
		case "Round":
			zero, ok := call.Args[0].(*ast.BasicLit)
			found = found || ok && zero.Value == "0"
		}
		return true
	})
	return found
}

func TestWallReadingsAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		"t.UnixNano()": true, "time.Unix(1, 0)": true, "t.Round(0)": true, "t.Round(time.Second)": false, "t.Sub(u)": false,
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "p.go", "package p; func g() { "+text+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if readsWall(parsed) != want {
			t.Errorf("%s: %t", text, !want)
		}
	}
}
