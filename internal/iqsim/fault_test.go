package iqsim

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseFault(t *testing.T) {
	got, err := ParseFault("environment=rc&service=crm&method=post&path=/v1/Companies({c})/**&skip=2&count=3&probability=0.5" +
		"&kind=status&at=after&delay=250ms&status=503&body=a%26b&bytes=9&chunked=true&times=4&field=Retry-After: 7&field=X: y:z")
	if err != nil {
		t.Fatal(err)
	}
	want := Fault{
		Environment: "rc", Service: "crm", Method: "POST", Path: "/v1/Companies({c})/**", Skip: 2, Count: 3, Probability: 0.5,
		Kind: FaultStatus, At: AtAfter, Delay: Duration(250_000_000), Status: 503, Body: "a&b", Bytes: 9, Chunked: true, Times: 4,
		Fields: []Field{{"Retry-After", "7"}, {"X", "y:z"}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable()); diff != "" {
		t.Error(diff)
	}
}

func TestParseFaultErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "kind",
		"kind=nonsense":                    "kind",
		"kind=status&status=99":            "status 99",
		"kind=status&at=body":              "at",
		"kind=reset&at=nowhere":            "at",
		"kind=latency&delay=5":             "250ms",
		"kind=latency&delay=-5s":           "negative",
		"kind=reset&count=x":               "count",
		"kind=reset&count=-1":              "negative",
		"kind=reset&probability=1.5":       "probability",
		"kind=reset&path=v1":               "must begin with /",
		"kind=reset&colour=red":            "there are",
		"kind=fields&field=nocolon":        "Name: value",
		"kind=fields&field=A: b%0d%0aC: d": "Name: value",
		"kind=reset;at=body":               "semicolon",
	} {
		if _, err := ParseFault(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v should mention %q", text, err, want)
		}
	}
}

func TestFaultSelection(t *testing.T) {
	to := address{environment: "sandbox", service: "crm", path: "/v1/Companies(1)/Customers"}
	tests := []struct {
		fault Fault
		want  bool
	}{
		{Fault{}, true},
		{Fault{Environment: "sandbox", Service: "crm", Method: "GET", Path: "/v1/Companies({c})/Customers"}, true},
		{Fault{Environment: "rc"}, false},
		{Fault{Service: "catalogs"}, false},
		{Fault{Method: "POST"}, false},
		{Fault{Path: "/v1/Companies({c})"}, false},
		{Fault{Path: "/v1/**"}, true},
	}
	for _, tt := range tests {
		tt.fault.Kind = FaultReset
		fs := newFaults(1)
		if _, err := fs.add(tt.fault); err != nil {
			t.Fatal(err)
		}
		if got := len(fs.take(to, http.MethodGet)) == 1; got != tt.want {
			t.Errorf("%+v: struck %v", tt.fault, got)
		}
	}
}

func TestFaultCounting(t *testing.T) {
	fs := newFaults(1)
	if _, err := fs.add(Fault{Kind: FaultReset, Skip: 2, Count: 2}); err != nil {
		t.Fatal(err)
	}
	var struck []bool
	for range 6 {
		struck = append(struck, len(fs.take(address{}, "GET")) > 0)
	}
	if diff := cmp.Diff([]bool{false, false, true, true, false, false}, struck); diff != "" {
		t.Error(diff)
	}
	if n := len(fs.list()); n != 0 {
		t.Errorf("%d faults left", n)
	}
}

func TestFaultProbability(t *testing.T) {
	draws := func(seed uint64) (pattern string) {
		fs := newFaults(seed)
		if _, err := fs.add(Fault{Kind: FaultReset, Probability: 0.25}); err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			pattern += string("01"[len(fs.take(address{}, "GET"))])
		}
		return pattern
	}
	first, again := draws(7), draws(7)
	if first != again {
		t.Error("one seed drew differently")
	}
	if n := strings.Count(first, "1"); n < 200 || n > 300 {
		t.Errorf("%d of 1000 struck at 0.25", n)
	}
}

func TestRemoveFaults(t *testing.T) {
	fs := newFaults(1)
	var ids []int
	for range 3 {
		id, err := fs.add(Fault{Kind: FaultReset})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if n := fs.remove(ids[1]); n != 1 || len(fs.list()) != 2 {
		t.Errorf("removed %d, left %d", n, len(fs.list()))
	}
	if n := fs.remove(0); n != 2 || len(fs.list()) != 0 {
		t.Errorf("removed %d, left %d", n, len(fs.list()))
	}
}

func FuzzParseFault(f *testing.F) {
	for _, seed := range []string{
		"kind=status&status=500&count=3", "kind=reset&at=body&bytes=10", "kind=latency&delay=1s&path=/v1/{a}/**", "%zz", "kind=raw&body=%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil {
			return
		}
		if _, err := fault.arm(); err != nil {
			t.Errorf("%q was accepted but cannot be armed: %v", text, err)
		}
	})
}
