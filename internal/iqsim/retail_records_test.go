package iqsim

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ids(list []*record) []string {
	var found []string
	for _, rec := range list {
		found = append(found, rec.id)
	}
	return found
}

func TestRecords(t *testing.T) {
	var s records
	for _, id := range []string{"a", "b", "c"} {
		s.seed("x", id, document{"Id": id})
	}
	s.seed("y", "a", document{"Id": "other"})
	if got := ids(s.list("x")); !cmp.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("list = %v", got)
	}
	if rec, ok := s.get("x", "B"); !ok || rec.id != "b" {
		t.Error("ids are not folded")
	}
	if _, ok := s.remove("x", "A"); !ok {
		t.Error("remove(A) found nothing")
	}
	if _, ok := s.remove("x", "a"); ok {
		t.Error("the second remove found something")
	}
	s.seed("x", "C", document{"Id": "C", "New": true})
	if got := ids(s.list("x")); !cmp.Equal(got, []string{"b", "C"}) {
		t.Errorf("list after remove and replace = %v", got)
	}
	if rec, ok := s.get("x", "c"); !ok || rec.fields["New"] != true {
		t.Error("after a remove the index leads to another record")
	}
	if rec, ok := s.get("y", "a"); !ok || rec.fields.text("Id") != "other" {
		t.Error("scopes are not apart")
	}
	if s.size("x") != 2 || s.size("none") != 0 || s.list("none") != nil {
		t.Error("size or list of a scope is wrong")
	}
}

// Many readers of one record of the seed share what the first one encoded.
func TestRecordIsEncodedOnce(t *testing.T) {
	var s records
	s.seed("x", "1", document{"N": 1})
	rec, _ := s.get("x", "1")
	read := make([][]byte, 8)
	var wg sync.WaitGroup
	for n := range read {
		wg.Go(func() { read[n] = rec.raw() })
	}
	wg.Wait()
	for n, raw := range read {
		if string(raw) != `{"N":1}` || &raw[0] != &read[0][0] {
			t.Errorf("reader %d got %s of its own", n, raw)
		}
	}
}

func TestRecordsChange(t *testing.T) {
	var s records
	s.seed("x", "a", document{"N": 1})
	before := s.list("x")
	refused := errors.New("refused")
	if _, found, err := s.change("x", "a", func(document) (document, error) { return nil, refused }); !found || !errors.Is(err, refused) {
		t.Errorf("change = %v, %v", found, err)
	}
	if _, found, _ := s.change("x", "b", func(document) (document, error) { t.Error("called for no record"); return nil, nil }); found {
		t.Error("found a record that is not there")
	}
	if _, found, err := s.change("x", "a", func(document) (document, error) { return document{"F": func() {}}, nil }); !found || err == nil {
		t.Error("a document that cannot be encoded was taken")
	}
	rec, _, err := s.change("x", "a", func(old document) (document, error) { return old.with(document{"N": 2}), nil })
	if err != nil || string(rec.raw()) != `{"N":2}` {
		t.Errorf("change = %s, %v", rec.raw(), err)
	}
	if before[0].fields["N"] != 1 {
		t.Error("a reader's document was changed under its hands")
	}
}

func TestRecordsConcurrency(t *testing.T) {
	var s records
	s.seed("x", "n", document{"Version": 0})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, _, _ = s.change("x", "n", func(old document) (document, error) { return bumped(old, retailTime()), nil })
		})
		wg.Go(func() { s.list("x"); s.byScope() })
	}
	wg.Wait()
	if rec, _ := s.get("x", "n"); rec.fields["Version"] != 50 {
		t.Errorf("Version = %v, want 50", rec.fields["Version"])
	}
}

func TestVersioned(t *testing.T) {
	old := document{"Id": "a", "Version": 3, "LastModifiedDateUtc": "x", "Gone": 1}
	tests := []struct {
		name     string
		in       document
		required bool
		refused  bool
	}{
		{"none given", document{"N": 1}, false, false},
		{"none given, required", document{"N": 1}, true, true},
		{"current", document{"Version": json.Number("3")}, true, false},
		{"current as text", document{"Version": "3"}, true, false},
		{"stale", document{"Version": json.Number("2")}, false, true},
		{"ahead", document{"Version": json.Number("4")}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next, err := versioned(old, tt.in, retailTime(), tt.required)
			refused, is := errors.AsType[refusedError](err)
			if is != tt.refused || is && refused.status != http.StatusConflict {
				t.Fatalf("error = %v, want refused = %v", err, tt.refused)
			}
			if err != nil {
				return
			}
			if next["Id"] != "a" || next["Version"] != 4 || next["LastModifiedDateUtc"] != stamp(retailTime()) || next["Gone"] != nil {
				t.Errorf("next = %v", next)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	tests := []struct {
		query string
		want  window
		bad   bool
	}{
		{"", window{0, 50}, false},
		{"$skip=5&$top=7", window{5, 7}, false},
		{"%24skip=5&top=7", window{5, 7}, false},
		{"$TOP=7", window{0, 7}, false},
		{"$top=101", window{0, 100}, false},
		{"$top=-1", window{}, true},
		{"$skip=1.5", window{}, true},
		{"$skip=99999999999999999999", window{}, true},
	}
	for _, tt := range tests {
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseWindow(q, 50, 100)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("parseWindow(%q) = %v, %v; want %v, error %v", tt.query, got, err, tt.want, tt.bad)
		}
	}
}

func TestReadDocument(t *testing.T) {
	tests := []struct {
		body string
		ok   bool
	}{
		{`{"a":1}`, true},
		{`{}`, true},
		{``, false},
		{`null`, false},
		{`[]`, false},
		{`{"a"`, false},
		{`"x"`, false},
		{`{"a":"` + strings.Repeat("x", maxBody) + `"}`, false},
	}
	for _, tt := range tests {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readDocument(req); (err == nil) != tt.ok {
			t.Errorf("readDocument(%.20q): error %v, want ok = %v", tt.body, err, tt.ok)
		}
	}
	if _, err := readDocument(&http.Request{}); err == nil {
		t.Error("a request without a body was read")
	}
}
