package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
)

// movingPolicy is that of callers in the middle of their move: storefront uses
// pricing with its own token, moved did so until noon.
func movingPolicy() *Policy {
	own := func(until time.Time) Access {
		return Access{Credential: Passthrough, Environment: "production", Until: until, Services: map[string]Grant{"pricing": {Level: LevelRead}, "ads": {}, "tax": {}}}
	}
	retail := Access{Credential: "retail", Environment: "production", Services: map[string]Grant{"crm": {Level: LevelRead}, "tax": {Level: LevelRead}}}
	retail.Default = true
	return NewPolicy([]Caller{
		{Name: "storefront", Access: []Access{retail, own(noon().Add(time.Second))}},
		{Name: "moved", Access: []Access{retail, own(noon())}},
		{Name: "nightly", Access: []Access{retail}},
	})
}

func TestAuthorizeOwnToken(t *testing.T) {
	cases := map[string]struct {
		caller, service string
		header          http.Header
		brings          bool
		anonymous       bool

		credential string // "" = refused
		keeps      bool
		detail     string
	}{
		"its own":                         {caller: "storefront", service: "pricing", brings: true, credential: Passthrough, keeps: true},
		"none where one is needed":        {caller: "storefront", service: "pricing", detail: "Send it as Authorization: Bearer"},
		"not needed":                      {caller: "storefront", service: "crm", brings: true, credential: "retail"},
		"none, and none needed":           {caller: "storefront", service: "crm", credential: "retail"},
		"both allow, the default decides": {caller: "storefront", service: "tax", brings: true, credential: "retail"},
		"both allow, asked for": {
			caller: "storefront", service: "tax", header: http.Header{"X-Gateway-Credential": {Passthrough}}, brings: true, credential: Passthrough, keeps: true,
		},
		"the service asks for no token":   {caller: "storefront", service: "ads", brings: true, anonymous: true, credential: Passthrough},
		"no token to a service without":   {caller: "storefront", service: "ads", anonymous: true, credential: Passthrough},
		"ended":                           {caller: "moved", service: "pricing", brings: true, detail: "Its access with passthrough ended at 2026-05-04T12:00:00Z"},
		"ended, and brings none":          {caller: "moved", service: "pricing", detail: "Its access with passthrough ended at 2026-05-04T12:00:00Z"},
		"ended, for another credential":   {caller: "moved", service: "crm", brings: true, detail: "ended at 2026-05-04T12:00:00Z. Remove it"},
		"ended, asked for":                {caller: "moved", service: "tax", header: http.Header{"X-Gateway-Credential": {Passthrough}}, brings: true, detail: "ended at"},
		"ended, another without a token":  {caller: "moved", service: "tax", credential: "retail"},
		"no passthrough, another service": {caller: "nightly", service: "pricing", detail: "It may: crm"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ex := &exchange.Exchange{Caller: &exchange.Caller{Name: c.caller}, Target: request("", "production/"+c.service, "GET", "/v1/x").Target}
			ex.Target.Authentication, ex.Target.Policy = "bearer", "authenticated"
			if c.anonymous {
				ex.Target.Policy = "anonymous"
			}
			if c.brings {
				ex.Own = &ownToken{secret.New(canaryOwn)}
			}
			var failed refusals
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header = c.header
			serve(Authorize(AuthorizeOptions{Policy: movingPolicy(), Refuse: failed.refuse, Now: noon}), r, ex)
			if c.credential == "" {
				if len(failed.problems) != 1 || failed.problems[0].Type != exchange.NotAllowed || !strings.Contains(failed.problems[0].Detail, c.detail) {
					t.Errorf("problems %v, want one with %q", failed.problems, c.detail)
				}
				return
			}
			dropped := c.brings && !c.keeps
			if ex.Credential != c.credential || (ex.Own != nil) != c.keeps || (len(ex.Dropped) == 1) != dropped {
				t.Errorf("credential %q, token kept %t, dropped %v, problems %v", ex.Credential, ex.Own != nil, ex.Dropped, failed.problems)
			}
		})
	}
}
