package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"iqgateway/internal/exchange"
)

func TestAuthorize(t *testing.T) {
	storefront := &exchange.Caller{Name: "storefront"}
	crm := request("storefront", "production/crm", "GET", "/v1/x").Target
	cases := map[string]struct {
		exchange *exchange.Exchange
		header   http.Header
		problem  exchange.ProblemType
		class    string
	}{
		"allowed":                 {&exchange.Exchange{Caller: storefront, Target: crm}, http.Header{}, "", "interactive"},
		"class asked for":         {&exchange.Exchange{Caller: storefront, Target: crm}, http.Header{"X-Request-Priority": {"batch"}}, "", "batch"},
		"credential asked for":    {&exchange.Exchange{Caller: storefront, Target: crm}, http.Header{"X-Gateway-Credential": {"retail"}}, "", "interactive"},
		"credential of others":    {&exchange.Exchange{Caller: storefront, Target: crm}, http.Header{"X-Gateway-Credential": {"one"}}, exchange.NotAllowed, ""},
		"credential given twice":  {&exchange.Exchange{Caller: storefront, Target: crm}, http.Header{"X-Gateway-Credential": {"retail", "one"}}, exchange.MalformedRequest, ""},
		"class given twice":       {&exchange.Exchange{Caller: storefront, Target: crm}, http.Header{"X-Request-Priority": {"batch", "batch"}}, exchange.MalformedRequest, ""},
		"class of another":        {&exchange.Exchange{Caller: storefront, Target: crm}, http.Header{"X-Request-Priority": {"background"}}, "", "interactive"},
		"class that is none":      {&exchange.Exchange{Caller: storefront, Target: crm}, http.Header{"X-Request-Priority": {"urgent"}}, exchange.MalformedRequest, ""},
		"nobody":                  {&exchange.Exchange{Target: crm}, http.Header{}, exchange.InternalError, ""},
		"nowhere":                 {&exchange.Exchange{Caller: storefront}, http.Header{}, exchange.InternalError, ""},
		"service without a right": {&exchange.Exchange{Caller: storefront, Target: request("", "production/x", "GET", "/").Target}, http.Header{}, exchange.NotAllowed, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var failed refusals
			stage := Authorize(AuthorizeOptions{
				Policy: testPolicy(t), Refuse: failed.refuse, Now: noon,
			})
			r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", nil)
			r.Header = c.header
			seen, _ := serve(stage, r, c.exchange)
			if len(r.Header) != 0 {
				t.Errorf("left in the request: %v", r.Header)
			}
			if c.problem != "" {
				if seen != nil || len(failed.problems) != 1 || failed.problems[0].Type != c.problem {
					t.Errorf("next stage reached: %t, problems %v", seen != nil, failed.problems)
				}
				return
			}
			if seen == nil || c.exchange.Credential != "retail" || c.exchange.Class != c.class {
				t.Errorf("credential %q, class %q, problems %v", c.exchange.Credential, c.exchange.Class, failed.problems)
			}
		})
	}
}
