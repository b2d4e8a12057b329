package config

import (
	"fmt"
	"strings"
)

// acme refuses what would have the CA refuse us.
func (c *checker) acme() {
	t := c.Server.TLS
	if t.Mode != "acme" {
		return
	}
	if c.DataDir == "" && (c.Redis == nil || len(c.Redis.EncryptionKeys) == 0) {
		c.errorf("server.tls.mode", "acme has nowhere to keep its account, keys and certificates, and would order new ones at each start until the CA refuses: set data_dir, or redis with encryption_keys")
	}
	if c.Redis != nil && len(c.Redis.EncryptionKeys) == 0 {
		c.warnf("server.tls.acme", "is not shared between replicas, since redis has no encryption_keys: each orders its own certificate, and only the one that began a challenge can answer it")
	}
	seen := map[string]string{}
	for i, d := range t.ACME.Domains {
		c.once(seen, strings.ToLower(d), index("server.tls.acme.domains", i), fmt.Sprintf("%q", d))
	}
}
