package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
)

// A caller that is blocked is known, and refused before anything is done for it.
func TestBlockedCallers(t *testing.T) {
	callers := testCallers()
	callers[0].Blocked = true
	cases := map[string]struct {
		key, method, body string
		want              exchange.ProblemType // "" = it passes
		closes            bool                 // the connection, whose body is unread
	}{
		"blocked":              {"key-a", http.MethodGet, "", exchange.CallerBlocked, false},
		"blocked, with a body": {"key-a", http.MethodPost, "{}", exchange.CallerBlocked, true},
		"another key of its":   {"key-new", http.MethodGet, "", exchange.CallerBlocked, false},
		"another caller":       {"key:b", http.MethodGet, "", "", false},
		"a wrong key":          {"key-x", http.MethodGet, "", exchange.CallerUnauthenticated, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var refused refusals
			ex := &exchange.Exchange{Start: noon()}
			r := httptest.NewRequest(c.method, "/crm/v1/x", strings.NewReader(c.body))
			r.Header.Set("X-Api-Key", c.key)
			seen, _ := serve(Authenticate(AuthenticateOptions{Callers: callers, Refuse: refused.refuse}), r, ex)
			if c.want == "" {
				if seen == nil || len(refused.problems) > 0 {
					t.Fatalf("did not pass: %v", refused.problems)
				}
				return
			}
			if seen != nil || len(refused.problems) != 1 || refused.problems[0].Type != c.want {
				t.Fatalf("passed %t, refused %v", seen != nil, refused.problems)
			}
			if got := refused.problems[0].Close; got != c.closes {
				t.Errorf("closes the connection: %t", got)
			}
			if ex.Caller != nil != (c.want == exchange.CallerBlocked) {
				t.Errorf("caller %+v", ex.Caller)
			}
		})
	}
}

// Tokens for a caller that is blocked would be refused with each request.
func TestBlockedCallersGetNoTokens(t *testing.T) {
	callers := testCallers()
	callers[0].Blocked = true
	rig := newTokenRig(t, callers)
	reply, ex := rig.ask(t, tokenPost(passwordForm().Encode(), nil))
	if reply.status != http.StatusForbidden || reply.AccessToken != "" || len(rig.failed.problems) != 1 || rig.failed.problems[0].Type != exchange.CallerBlocked {
		t.Errorf("%+v, %v", reply, rig.failed.problems)
	}
	if ex.Caller == nil || ex.Caller.Name != "storefront" {
		t.Errorf("caller %+v", ex.Caller)
	}
}
