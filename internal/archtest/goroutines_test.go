package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// A panic in a goroutine that nobody recovers ends the process, and every
// request under way with it. So whatever starts one guards it with
// steady.Try or steady.Keep, right where it is started, or stands here with the
// reason why it need not.

// unguarded names the files that start goroutines without a guard that is seen
// at the start, how many, and what holds them.
var unguarded = map[string]struct {
	starts int
	reason string
}{
	"breaker/ping.go":               {1, "pingOnce guards each half"},
	"cache/background.go":           {1, "context.AfterFunc of a cancel"},
	"cache/flight_run.go":           {3, "context.AfterFunc of a cancel; a timer that sets a flag and cancels; fly recovers, and ends its flight"},
	"cache/store_stage.go":          {2, "context.AfterFunc of a cancel, and of a reader's leaving, which changes a number"},
	"cmd/gateway/admin_services.go": {1, "pinged guards"},
	"cmd/gateway/gateway.go":        {1, "stores.run guards each loop"},
	"cmd/gateway/lifetimes.go":      {4, "guarded guards; hurryUp waits, logs and cancels"},
	"cmd/gateway/main.go":           {1, "waits for signals, and cancels"},
	"internal/exchange/discard.go":  {1, "recovers, without steady: vocabulary imports the standard library alone"},
	"internal/tape/tape.go":         {1, "recovers, without steady: vocabulary imports the standard library alone"},
	"observability/logs_level.go":   {1, "a timer that sets a level, and logs that"},
	"proxy/attempt_answer.go":       {1, "a timer that cancels"},
	"proxy/dial_tunnel.go":          {1, "context.AfterFunc of a deadline"},
	"proxy/forward.go":              {1, "context.AfterFunc of a deadline"},
	"proxy/sanitize_watchdog.go":    {1, "a timer that sets deadlines"},
	"proxy/sessions.go":             {1, "recovered recovers, and tells whose session it was"},
	"tokencache/entry.go":           {1, "fly recovers, and ends its flight"},
	"tokencache/replace.go":         {1, "survive recovers, and tells whose token it was"},
	"tokencache/rotate.go":          {1, "survive recovers"},
	"tokencache/run.go":             {1, "tend recovers by survive"},
}

// unserved are packages and files that no gateway runs that serves: those of
// tests, the simulation, and the demonstration.
var unserved = []string{
	"internal/iqsim/", "internal/dnstest/", "internal/rawcase/", "internal/redistest/", "cache/storetest/", "breaker/storetest/", "limiter/storetest/",
	"limiter/quotasim/", "override/storetest/", "tokencache/storetest/", "usage/storetest/", "cmd/iqsim/", "cmd/gateway/demo.go",
}

// REL-37: no goroutine of the product ends the process.
func TestREL37GoroutinesAreGuarded(t *testing.T) {
	dir, met := root(t), map[string]bool{}
	for _, f := range sources(t, dir) {
		if f.isTest() || isUnserved(f.path) {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, filepath.FromSlash(f.path)), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		bare, allowed := unguardedStarts(parsed), unguarded[f.path]
		met[f.path] = bare > 0
		if bare != allowed.starts {
			t.Errorf("%s starts %d goroutines without steady.Try or steady.Keep, want %d (%s)", f.path, bare, allowed.starts, allowed.reason)
		}
	}
	for path := range unguarded {
		if !met[path] {
			t.Errorf("%s starts no goroutine without a guard: take it off the list", path)
		}
	}
}

func isUnserved(path string) bool {
	for _, prefix := range unserved {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// unguardedStarts counts go statements, calls of a method Go, and AfterFuncs,
// whose work is not guarded in the very same expression.
func unguardedStarts(f *ast.File) int {
	bare := 0
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if !guards(n.Call) {
				bare++
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Go" || s.Sel.Name == "AfterFunc") && !guards(n) {
				bare++
			}
		}
		return true
	})
	return bare
}

// guards reports whether steady is called in an expression.
func guards(n ast.Node) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && (s.Sel.Name == "Try" || s.Sel.Name == "Keep") && fmt.Sprint(s.X) == "steady" {
			found = true
		}
		return true
	})
	return found
}

func TestUnguardedGoroutinesAreFound(t *testing.T) {
	for text, want := range map[string]int{
		"go f()":                             1,
		"go func() { f() }()":                1,
		"go steady.Try(f, nil)":              0,
		"group.Go(f)":                        1,
		"group.Go(func() { steady.Keep() })": 0,
		"time.AfterFunc(d, f)":               1,
		"time.AfterFunc(d, func() { steady.Try(f, nil) })": 0,
		"f()": 0,
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "p.go", "package p; func g() { "+text+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := unguardedStarts(parsed); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
