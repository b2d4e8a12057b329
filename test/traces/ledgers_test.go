package traces_test

import (
	"reflect"
	"testing"

	"iqgateway/test/traces"
)

func TestSamples(t *testing.T) {
	const text = `# HELP requests_total Requests.
requests_total{a="x",b="with \"quotes\" and } in it"} 3 # {trace_id="0af7"} 1 1.5
requests_total{a="y"} 4e1
requests_total_more{a="z"} 5
requests_total 7
`
	got, err := traces.Samples(text, "requests_total")
	want := []traces.Sample{
		{Labels: map[string]string{"a": "x", "b": `with \"quotes\" and } in it`}, Value: 3},
		{Labels: map[string]string{"a": "y"}, Value: 40},
		{Labels: map[string]string{}, Value: 7},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := traces.Samples("requests_total{} none\n", "requests_total"); err == nil {
		t.Error("what is no number passes")
	}
}

func TestAccessLines(t *testing.T) {
	const log = `{"level":"INFO","msg":"serving","status":""}
{"level":"INFO","msg":"request","request_id":"r1-a","service":"crm","status":200,"attempts":2}
`
	got, err := traces.AccessLines(log)
	if err != nil || !reflect.DeepEqual(got, []traces.AccessLine{{RequestID: "r1-a", Service: "crm", Status: 200, Attempts: 2}}) {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := traces.AccessLines(`{"msg":"request","status":` + "\n"); err == nil {
		t.Error("a torn line passes")
	}
}

func TestTallyDiff(t *testing.T) {
	a := traces.Tally{"same": 1, "less": 1, "gone": 2}
	if got := a.Diff(traces.Tally{"same": 1, "less": 3, "new": 4}); got != "gone: 2 and 0\nless: 1 and 3\nnew: 0 and 4\n" {
		t.Errorf("%q", got)
	}
	if got := a.Diff(a); got != "" {
		t.Errorf("%q", got)
	}
}
