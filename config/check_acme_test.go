package config

import (
	"strings"
	"testing"
	"time"
)

func TestACMEIsChecked(t *testing.T) {
	const (
		acme  = "version: 1\nserver: {tls: {mode: acme, acme: {domains: [DOMAINS]}}}\n"
		redis = "redis: {addresses: [\"127.0.0.1:1\"]}\n"
		key   = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
		keys  = "redis: {addresses: [\"127.0.0.1:1\"], encryption_keys: [" + key + "], name_key: " + key + "}\n"
		dir   = "data_dir: /var/lib/iqgateway\n"
	)
	tests := map[string]struct {
		text, domains string
		problem       string // "" = accepted
		warning       string
	}{
		"in data_dir":                {acme + dir, "gw.test", "", ""},
		"in Redis":                   {acme + keys, "gw.test", "", ""},
		"nowhere":                    {acme, "gw.test", "set data_dir, or redis with encryption_keys", ""},
		"Redis without keys":         {acme + redis, "gw.test", "set data_dir, or redis with encryption_keys", ""},
		"a replica's own":            {acme + redis + dir, "gw.test", "", "is not shared between replicas"},
		"no domain":                  {acme + dir, "", "needs the names", ""},
		"a wildcard":                 {acme + dir, `"*.gw.test"`, "is no host name", ""},
		"twice":                      {acme + dir, "gw.test, GW.test", "also stands in", ""},
		"a CA in the clear":          {strings.Replace(acme, "domains:", "ca: http://ca.test/dir, domains:", 1) + dir, "gw.test", "is plain HTTP", ""},
		"challenges where calls are": {strings.Replace(acme, "domains:", "http_address: \"127.0.0.1:8443\", domains:", 1) + dir, "gw.test", "each listener needs an address of its own", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(tt.text, "DOMAINS", tt.domains, 1)
			_, warnings, err := Load(LoadOptions{Path: "gateway.yaml", Data: []byte(text), Now: time.Now()})
			if tt.problem == "" && err != nil || tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("%v, want %q", err, tt.problem)
			}
			var all strings.Builder
			for _, w := range warnings {
				all.WriteString(w.String() + "\n")
			}
			if !strings.Contains(all.String(), tt.warning) {
				t.Errorf("warned of %q, want %q", all.String(), tt.warning)
			}
		})
	}
}
