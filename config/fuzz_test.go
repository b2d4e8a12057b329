package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// bombs are documents that would take very long if anything were read twice.
func bombs() map[string]string {
	aliases := "x-0: &a0 [a, a, a, a, a, a, a, a, a, a]\n"
	merges := "x-m0: &m0 {lame_duck: 1s}\n"
	for i := 1; i < 12; i++ {
		aliases += fmt.Sprintf("x-%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
		merges += fmt.Sprintf("x-m%d: &m%d {<<: [%s]}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*m%d, ", i-1), 10), ", "))
	}
	rules := "x-r0: &r0 {path: /x, ttl: 1m}\nx-r: &r [" + strings.TrimSuffix(strings.Repeat("*r0, ", 1000), ", ") + "]\n"
	services := "services:\n"
	for i := range 300 {
		services += fmt.Sprintf("  s%d: {host: a, cache: {rules: *r}}\n", i)
	}
	return map[string]string{
		"aliases":        "version: 1\n" + aliases + "server: {hosts: *a11}\n",
		"merges":         "version: 1\n" + merges + "server: {<<: *m11}\n",
		"self":           "version: 1\nserver: &s {tls: *s, <<: *s}\n",
		"rules":          "version: 1\n" + rules + services,
		"brackets":       "version: 1\nx-a: " + strings.Repeat("[", 500_000),
		"closed":         "version: 1\nserver: " + strings.Repeat("[", 9_990) + strings.Repeat("]", 9_990),
		"braces":         "version: 1\nserver: " + strings.Repeat("{tls: ", 9_990) + strings.Repeat("}", 9_990),
		"many documents": "version: 1\n" + strings.Repeat("---\na: 1\n", 50_000),
		"too large":      "version: 1\n" + strings.Repeat("# comment\n", 200_000),
		"long word":      "version: 1\ndata_dir: " + strings.Repeat("a", 500_000) + "\n" + strings.Repeat("b", 400_000) + ": 1\n",
	}
}

func TestBombsAreRefusedQuickly(t *testing.T) {
	for name, text := range bombs() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, _, err := loadText(t, LoadOptions{Offline: true}, text, nil)
			if err == nil {
				t.Error("is accepted")
			}
			// Generous: a bomb takes minutes.
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Whatever the document, Load ends, gives errors with a place, and what it
// accepts can be printed and loaded again.
func FuzzConfig(f *testing.F) {
	for _, pattern := range []string{"../examples/*.yaml", "testdata/bad/[a-c]*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text, "IQGW_SERVICES__CRM__QUOTA__MAX=1")
		}
	}
	for _, text := range bombs() {
		if len(text) < 20_000 {
			f.Add([]byte(text), "IQGW_SERVER__HOSTS=[a, b]")
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, variable string) {
		o := LoadOptions{Path: "c.yaml", Data: append([]byte{}, text...), Environ: []string{variable}, Files: fakeFiles{}, Offline: true}
		c, _, err := Load(o)
		if err != nil {
			problems, _ := errors.AsType[Problems](err)
			if len(problems) == 0 {
				t.Errorf("error %v is no Problems", err)
			}
			for _, p := range problems {
				if p.Text == "" || p.Origin.String() == "" {
					t.Errorf("a problem without place or text: %+v", p)
				}
			}
			return
		}
		var printed bytes.Buffer
		if err := c.Print(&printed, PrintOptions{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(printed.String(), "***") {
			return // a masked secret may be no key
		}
		if _, _, err := Load(LoadOptions{Path: "p.yaml", Data: printed.Bytes(), Files: fakeFiles{}, Offline: true}); err != nil {
			t.Errorf("printed configuration is refused: %v\n%s", err, printed.String())
		}
	})
}

// The reading half alone, without catalogue and checks: much faster.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{
		"version: 1\nserver: {hosts: [a, 'b']}\n", "a: &x {<<: *x}", "x: ${env:A}\ny: {a: ${env:A}}", "callers: {a: {access: [{services: {\"*\": read}}]}}",
		"defaults: {timeouts: {total: none}, quota: {assume: 10/s}}", "? [a]\n: b", "services:\n  crm: !!map {quota: {shares: {a: 40%}}}", "\ufeffversion: 1",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &shaper{schema: newSchema(), report: &report{}}
		r := &reader{files: fakeFiles{}, shaper: s}
		top := r.file("f.yaml", append([]byte{}, text...))
		if top == nil {
			if len(s.report.errors) == 0 {
				t.Error("refused without a reason")
			}
			return
		}
		var d Document
		newDecoder(s.schema, s.report, sources{offline: true}).decode(reflect.ValueOf(&d).Elem(), top, "", rule{}, true)
		lines := bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r")) + 1
		for _, p := range s.report.errors {
			if p.Origin.Layer == layerFile && p.Origin.Line > lines+1 {
				t.Errorf("%v is beyond the last line, %d", p, lines)
			}
		}
	})
}

func BenchmarkLoadFull(b *testing.B) {
	text, err := os.ReadFile("../examples/full.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := Load(LoadOptions{Path: "full.yaml", Data: text, Files: fakeFiles{}, Offline: true}); err != nil {
			b.Fatal(err)
		}
	}
}
