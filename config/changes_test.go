package config_test

import (
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
