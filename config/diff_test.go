package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/config"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	const before = `version: 1
server: {lame_duck: 5s, hosts: [a, b]}
callers:
  storefront: {keys: [{id: one, sha256: aa}], access: []}
`
	for name, c := range map[string]struct {
		after string
		want  []config.Difference
	}{
		"the same, laid out otherwise": {`{version: 1, server: {hosts: [a, b], lame_duck: 5s}, callers: {storefront: {access: [], keys: [{id: one, sha256: aa}]}}}`, []config.Difference{}},
		"a value, a list, one more and one less": {"version: 1\nserver: {lame_duck: 6s, hosts: [a]}\ncallers: {reporting: {blocked: true}}\n", []config.Difference{
			{Path: "callers.reporting.blocked", New: "true"},
			{Path: "callers.storefront.access", Old: "[]"},
			{Path: "callers.storefront.keys", Old: "[{id: one, sha256: aa}]"},
			{Path: "server.hosts", Old: "[a, b]", New: "[a]"},
			{Path: "server.lame_duck", Old: "5s", New: "6s"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Diff(before, c.after)
			if err != nil || !cmp.Equal(got, c.want) {
				t.Errorf("%v %s", err, cmp.Diff(c.want, got))
			}
		})
	}
	if _, err := config.Diff(before, "a: ["); err == nil {
		t.Error("what is no YAML has differences")
	}
}
