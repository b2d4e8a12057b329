package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/config"
)

func offline(t *testing.T, text string) *config.Config {
	t.Helper()
	c, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte("version: 1\n" + text), Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChanges(t *testing.T) {
	const callers = `
credentials: {retail: {environment: production, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}}
callers:
  storefront:
    class: interactive
    access: [{credential: retail, services: {crm: read}}]
`
	tests := map[string]struct {
		before, after string
		want          []string
	}{
		"nothing":           {callers, callers, nil},
		"a comment":         {callers, "# text\n" + callers, nil},
		"a value":           {"server: {lame_duck: 5s}", "server: {lame_duck: 6s}", []string{"server.lame_duck"}},
		"a value that came": {"", "server: {lame_duck: 6s}", []string{"server.lame_duck"}},
		"a value that went": {"server: {lame_duck: 5s}", "server: {}", []string{"server.lame_duck"}},
		"in a list": {
			callers, callers + "  reporting: {access: [{credential: retail, services: {crm: read}}]}\n",
			[]string{"callers.reporting.access"},
		},
		"within a list": {
			callers + "    keys: [{id: a, sha256: " + zeros + "}]\n", callers + "    keys: [{id: b, sha256: " + zeros + "}]\n",
			[]string{"callers.storefront.keys"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := test.before, test.after
			if diff := cmp.Diff(test.want, offline(t, after).Changes(offline(t, before))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// What references lead to is no part of a configuration's text, but whoever
// reloads is to learn which secrets have changed.
func TestRotated(t *testing.T) {
	const (
		text = `version: 1
environments: {production: {proxy_url: "${env:PROXY}"}}
admin: {token: "${env:TOKEN}", read_token: "${env:READ}"}
redis: {addresses: ["127.0.0.1:1"], encryption_keys: ["${env:KEY}", "${env:KEY2}"], name_key: "${env:KEY}"}
`
		key, other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="
	)
	load := func(t *testing.T, text string, environ ...string) *config.Config {
		t.Helper()
		environ = append([]string{"PROXY=http://u:p@127.0.0.1:1", "TOKEN=one", "READ=two", "KEY=" + key, "KEY2=" + key, "OTHER=" + other}, environ...)
		c, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte(text), Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tests := map[string]struct {
		text    string
		environ []string
		want    []string
	}{
		"nothing":      {text, nil, nil},
		"one":          {text, []string{"TOKEN=three"}, []string{"admin.token"}},
		"in a list":    {text, []string{"KEY2=" + other}, []string{"redis.encryption_keys"}},
		"in two":       {text, []string{"KEY=" + other, "KEY2=" + other}, []string{"redis.encryption_keys", "redis.name_key"}},
		"a URL":        {text, []string{"PROXY=http://u:q@127.0.0.1:1"}, []string{"environments.production.proxy_url"}},
		"what is gone": {strings.ReplaceAll(text, `token: "${env:TOKEN}", `, ""), nil, nil},
		"what is written anew": {
			strings.ReplaceAll(text, "{env:KEY2}", "{env:OTHER}"), nil, nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, load(t, test.text, test.environ...).Rotated(load(t, text))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
