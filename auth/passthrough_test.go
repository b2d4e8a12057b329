package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
)

const canaryOwn = "own-canary-7d21f0e5b8"

// movingCallers are storefront, which may bring its own token, and nightly,
// which may not.
func movingCallers() []Caller {
	all := testCallers()
	all[0].Access = append(all[0].Access, Access{Credential: Passthrough, Environment: "production"})
	return all
}

func TestOwnToken(t *testing.T) {
	own := "Bearer " + canaryOwn
	key, _ := NewKey()
	jose := base64.RawURLEncoding.EncodeToString([]byte(` { "alg": "RS256" }`))
	type header = http.Header
	cases := map[string]struct {
		header header
		want   Reason
		owns   bool
	}{
		"beside a key header":            {header{"X-Api-Key": {"key-a"}, "Authorization": {own}}, "", true},
		"beside proxy credentials":       {header{"Proxy-Authorization": {basic("storefront", "key-a")}, "Authorization": {own}}, "", true},
		"another scheme's case":          {header{"X-Api-Key": {"key-a"}, "Authorization": {"bearer " + canaryOwn}}, "", true},
		"of a caller without the access": {header{"X-Api-Key": {"key:b"}, "Authorization": {own}}, ReasonDisagree, false},
		"alone":                          {header{"Authorization": {own}}, ReasonUnknown, false},
		"beside an unknown key":          {header{"X-Api-Key": {"key-x"}, "Authorization": {own}}, ReasonDisagree, false},
		"beside an expired key":          {header{"X-Api-Key": {"key-old"}, "Authorization": {own}}, ReasonDisagree, false},
		"beside two keys":                {header{"X-Api-Key": {"key-a", "key-new"}, "Authorization": {own}}, ReasonDisagree, false},
		"two of them":                    {header{"Authorization": {own, own}}, ReasonDisagree, false},
		"where a proxy's would be":       {header{"X-Api-Key": {"key-a"}, "Proxy-Authorization": {own}}, ReasonDisagree, false},
		"in the field of the key":        {header{"Authorization": {basic("storefront", "key-a"), own}}, ReasonDisagree, false},
		"in a key header":                {header{"X-Api-Key": {"key-a", canaryOwn}}, ReasonDisagree, false},
		"an expired key":                 {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer key-old"}}, ReasonDisagree, false},
		"another caller's key":           {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer key:b"}}, ReasonDisagree, false},
		"a key of its own":               {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer key-new"}}, "", false},
		"what looks like our key":        {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer " + key}}, ReasonDisagree, false},
		"what looks like our token":      {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer " + gatewayTokenHeader + "e30.AAAA"}}, ReasonDisagree, false},
		"a JWT of a removed issuer":      {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer " + jose + ".e30.AAAA"}}, ReasonDisagree, false},
		"an encrypted JWT":               {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer " + jose + "..AAAA.AAAA.AAAA"}}, ReasonDisagree, false},
		"half a JWT":                     {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer " + jose + ".e3"}}, ReasonDisagree, false},
		"opaque, with dots":              {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer own.token.AAAA"}}, "", true},
		"two words":                      {header{"X-Api-Key": {"key-a"}, "Authorization": {own + " x"}}, ReasonDisagree, false},
		"longer than any token":          {header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer " + strings.Repeat("x", maxOwnToken+1)}}, ReasonDisagree, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			known, passing := methods{newKeyring(movingCallers())}, newPassthroughs(movingCallers())
			ex := &exchange.Exchange{}
			if c.header.Get("Proxy-Authorization") != "" {
				ex.Form = exchange.FormAbsolute
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header = c.header
			caller, reason := authenticate(r.WithContext(exchange.With(r.Context(), ex)), known, passing, []string{"X-Api-Key"}, noon())
			if reason != c.want || (caller != nil) != (c.want == "") || (ex.Own != nil) != c.owns {
				t.Fatalf("caller %v, reason %q, own token %t", caller, reason, ex.Own != nil)
			}
			if !c.owns {
				return
			}
			sent := http.Header{}
			ex.Own.Authorize(sent)
			if caller.Name != "storefront" || !strings.EqualFold(sent.Get("Authorization"), c.header.Get("Authorization")) || len(sent) != 1 {
				t.Errorf("%s sends %v", caller.Name, sent)
			}
		})
	}
}

func TestOwnTokenIsNeverPrinted(t *testing.T) {
	own := &ownToken{secret.New(canaryOwn)}
	ex := exchange.Exchange{Own: own}
	encoded, err := json.Marshal(map[string]any{"own": own})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("own", own), slog.Any("exchange", ex))
	printed := []string{string(encoded), log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, own), fmt.Sprintf(verb, ex), fmt.Sprintf(verb, *own), fmt.Sprintf(verb, &ex))
	}
	for _, text := range printed {
		if strings.Contains(text, canaryOwn) || strings.Contains(text, fmt.Sprintf("%x", canaryOwn)) {
			t.Errorf("shows the token: %s", text)
		}
	}
}
