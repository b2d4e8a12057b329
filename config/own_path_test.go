package config_test

import (
	"strings"
	"testing"

	"iqgateway/config"
)

// The gateway answers below /-/ itself, so nothing that stands first in a path
// may be called so.
func TestNothingTakesTheGatewaysOwnPath(t *testing.T) {
	for place, text := range map[string]string{
		`environments`:         "environments: {\"-\": {url: \"https://{service}.example.test\"}}\n",
		`services.crm.aliases`: "services: {crm: {aliases: [\"-\"]}}\n",
		`services`:             "services: {\"-\": {host: x}}\n",
		`environments --`:      "environments: {\"--\": {url: \"https://{service}.example.test\"}}\n",
	} {
		where, _, _ := strings.Cut(place, " ")
		_, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte("version: 1\n" + text), Offline: true})
		if err == nil || !strings.Contains(err.Error(), where) {
			t.Errorf("%s: %v", place, err)
		}
	}
}
