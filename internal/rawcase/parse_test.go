package rawcase_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/rawcase"
)

const example = `# a comment
case first
send
  GET / HTTP/1.1\r\n
  # no comment here
status 200|none
close
contains a b
reply close
  HTTP/1.1 200 OK\r\n\r\n
upstream_requests 0..1
upstream_target GET / HTTP/1.1

case second
connect h2 sni=other.test
send
  headers 1 end :method=GET
status reset
connect
send eof
  x
status none
open
absent c
`

func TestParse(t *testing.T) {
	got, err := rawcase.Parse("file", example)
	if err != nil {
		t.Fatal(err)
	}
	want := []rawcase.Case{
		{
			Name: "file/first", Line: 2,
			Steps: []rawcase.Step{{
				Connect: &rawcase.Connection{}, Send: []string{`GET / HTTP/1.1\r\n`, "# no comment here"},
				Answers: []rawcase.Answer{{"200", "none"}}, Close: true, Contains: []string{"a b"},
			}},
			Replies:          []rawcase.Reply{{Bytes: []string{`HTTP/1.1 200 OK\r\n\r\n`}, Close: true}},
			UpstreamRequests: &rawcase.Range{Min: 0, Max: 1}, UpstreamTargets: []string{"GET / HTTP/1.1"},
		},
		{
			Name: "file/second", Line: 14,
			Steps: []rawcase.Step{
				{Connect: &rawcase.Connection{HTTP2: true, ServerName: "other.test"}, Send: []string{"headers 1 end :method=GET"}, Answers: []rawcase.Answer{{"reset"}}},
				{Connect: &rawcase.Connection{}, Send: []string{"x"}, EOF: true, Answers: []rawcase.Answer{{"none"}}, Open: true, Absent: []string{"c"}},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefusesCasesThatProveNothing(t *testing.T) {
	for text, want := range map[string]string{
		"send\n  x":                             "first keyword must be case",
		"case":                                  "needs a name",
		"case a":                                "sends nothing",
		"case a\nsend\n  x":                     "without status",
		"case a\nstatus 200":                    "before the first send",
		"case a\n  x":                           "outside of a block",
		"case a\nsend\n  x\nstatus 200\nsatus":  "unknown keyword",
		"case a\nconnect h3":                    "neither h1",
		"case a\nupstream_requests x":           "a count is",
		"case a\nsend\n  x\ncase b\nsend\n  y":  "without status",
		"case a\nsend\n  x\nstatus 200\nnonsen": "line 5",
	} {
		if _, err := rawcase.Parse("f", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := rawcase.Load(dir); err == nil {
		t.Error("an empty directory loads")
	}
	file := filepath.Join(dir, "x.case")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	cases, err := rawcase.Load(dir)
	if err != nil || len(cases) != 2 || cases[0].Name != "x/first" {
		t.Errorf("%v, %v", cases, err)
	}
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rawcase.Load(dir); err == nil || !strings.Contains(err.Error(), "x.case: line 1") {
		t.Errorf("%v does not name the place", err)
	}
}

func TestBytes(t *testing.T) {
	vars := map[string]string{"host": "gw.test"}
	for line, want := range map[string]string{
		`a\r\n\t\0\\\x41`:           "a\r\n\t\x00\\A",
		`${host}:1`:                 "gw.test:1",
		`%repeat(3,ab)%repeat(1,c)`: "abababc",
		`%repeat(2,\x41)`:           "AA",
		`%zz`:                       "%zz",
	} {
		got, err := rawcase.Step{Send: []string{line, "|"}}.Bytes(vars)
		if err != nil || string(got) != want+"|" {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	for _, line := range []string{`${nosuch}`, `${host`, `\`, `\q`, `\x4`, `\xzz`, `%repeat(`, `%repeat(-1,a)`, `%repeat(x,a)`, `%repeat(999999999,aa)`} {
		if got, err := (rawcase.Step{Send: []string{line}}).Bytes(vars); err == nil {
			t.Errorf("%s: %q and no error", line, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("case a\nsend\n  %repeat(2,${host})\\x41\nstatus 200")
	f.Fuzz(func(t *testing.T, text string) {
		cases, err := rawcase.Parse("f", text)
		if err != nil {
			return
		}
		for _, c := range cases {
			if len(c.Steps) == 0 {
				t.Errorf("%q has no step", c.Name)
			}
			for _, s := range c.Steps {
				if len(s.Answers) == 0 {
					t.Errorf("%q expects nothing", c.Name)
				}
				_, _ = s.Bytes(nil) // must not panic
			}
		}
	})
}
