package chaos_test

import (
	"errors"
	"net/http"
	"testing"

	"iqgateway/test/chaos"
)

// own is an answer that the gateway made.
func own(status int, body string) chaos.Answer {
	return chaos.Answer{
		Status: status, Body: []byte(body),
		Header: http.Header{"Content-Type": {"application/problem+json"}, "Proxy-Status": {"iqgateway; error=x"}},
	}
}

func TestVerdict(t *testing.T) {
	cut := errors.New("cut")
	foreign := own(503, `{"outcome":"not_executed"}`)
	foreign.Header = http.Header{"Content-Type": {"application/problem+json"}}
	half := own(502, `{"type":"u#a","outc`)
	half.Err = cut
	for name, tt := range map[string]struct {
		answer chaos.Answer
		want   chaos.Verdict
		reason string
		wrong  bool
	}{
		"no answer":                  {chaos.Answer{Err: cut}, chaos.Broken, "", false},
		"the upstream's 201":         {chaos.Answer{Status: 201}, chaos.OK, "", false},
		"a 200 whose body broke off": {chaos.Answer{Status: 200, Err: cut}, chaos.OK, "", false},
		"the upstream's 404":         {chaos.Answer{Status: 404}, chaos.Rejected, "404", false},
		"the upstream's 503":         {chaos.Answer{Status: 503}, chaos.Failed, "503", false},
		"the upstream's own problem": {foreign, chaos.Failed, "503", false},
		"not executed":               {own(503, `{"type":"u#breaker-open","outcome":"not_executed"}`), chaos.NotExecuted, "breaker-open", false},
		"unknown":                    {own(502, `{"type":"u#upstream-unreachable","outcome":"unknown"}`), chaos.Unknown, "upstream-unreachable", false},
		"refused":                    {own(400, `{"type":"u#malformed-request"}`), chaos.Refused, "malformed-request", false},
		"half a problem":             {half, chaos.Broken, "", false},
		"a word of nobody's":         {own(502, `{"type":"u#a","outcome":"perhaps"}`), chaos.Broken, "a", true},
		"a document that is none":    {own(502, `{`), chaos.Broken, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, reason, err := tt.answer.Verdict()
			if got != tt.want || reason != tt.reason || (err != nil) != tt.wrong {
				t.Errorf("%s %q %v, want %s %q", got, reason, err, tt.want, tt.reason)
			}
		})
	}
}
