package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What somebody wrote about the cache and nothing uses is told, with the way
// out; what some environment uses is not.
func TestCacheSettingsWithoutEffect(t *testing.T) {
	for name, tt := range idleCacheCases() {
		t.Run(name, func(t *testing.T) {
			text := accounts + tt.text + "\n" + shop("    access: [{credential: retail, services: {\"*\": read}}, {credential: live, services: {\"*\": read}}]\n")
			_, warnings, err := loadText(t, LoadOptions{Environ: []string{"S=x", "K=" + strings.Repeat("k", 43) + "="}}, text, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range warnings {
				if got = append(got, w.Key+": "+w.Text); !strings.HasPrefix(w.Origin.String(), "conf/gateway.yaml:") {
					t.Errorf("it stands at %q", w.Origin)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

type idleCacheCase struct {
	text string // of services and environments
	want []string
}

func idleCacheCases() map[string]idleCacheCase {
	const times = "in mode rfc9111 the upstream's own fields give the times: "
	const policy = ", or set cache.mode: policy"
	return map[string]idleCacheCase{
		"all that policy uses": {
			`services: {crm: {cache: {catalogue: suggest, max_object: 1MiB, rules: [
  {path: /v1/a, ttl: 1m, negative_ttl: 1s, stale_while_revalidate: 1s, stale_if_error: 1s, share: caller, vary: [Accept], no_cache: obey, tags: [a], invalidates: [/v1/b]},
  {path: /v1/c, ttl: none, invalidates: [/v1/b]}]}}}`, nil,
		},
		"all that the upstream's headers leave": {
			`services: {crm: {cache: {mode: rfc9111, targeted: true, catalogue: ignore, max_object: 1MiB, rules: [
  {path: /v1/a, ttl: 1m, share: caller}, {path: /v1/b, ttl: 1m, vary: [Accept]}, {path: /v1/c, ttl: 1m, tags: [a]},
  {path: /v1/d, ttl: 1m, invalidates: [/v1/a]}, {path: /v1/e, ttl: none}]}}}`, nil,
		},
		"targeted by rules": {
			"services: {crm: {cache: {targeted: true}}}",
			[]string{`services.crm.cache.targeted: "true" has no effect: in mode policy rules give the times, and no field of the upstream does: remove it, or set cache.mode: rfc9111`},
		},
		"not targeted by rules": {"services: {crm: {cache: {targeted: false}}}", nil},
		"nothing is stored": {
			"services: {crm: {cache: {mode: none, max_object: 1MiB, rules: [{path: /v1/a, ttl: 1m, tags: [a]}]}}}",
			[]string{
				`services.crm.cache.max_object: "1MiB" has no effect: cache.mode is none, so nothing is stored: remove it` + policy,
				"services.crm.cache.rules: has no effect: cache.mode is none, so nothing is stored: remove it" + policy,
			},
		},
		"times beside the upstream's": {
			`services: {crm: {cache: {mode: rfc9111, catalogue: suggest, rules: [
  {path: /v1/a, ttl: 1m, negative_ttl: 1s, stale_while_revalidate: 2s, stale_if_error: 3s, no_cache: ignore}]}}}`,
			[]string{
				`services.crm.cache.catalogue: "suggest" has no effect: in mode rfc9111 there is nothing to suggest, and the catalogue's rules apply: write apply or ignore` + policy,
				`services.crm.cache.rules[0].negative_ttl: "1s" has no effect: ` + times + "remove it" + policy,
				`services.crm.cache.rules[0].no_cache: "ignore" has no effect: in mode rfc9111 a caller's no-cache is obeyed: remove it` + policy,
				`services.crm.cache.rules[0].stale_if_error: "3s" has no effect: ` + times + "remove it" + policy,
				`services.crm.cache.rules[0].stale_while_revalidate: "2s" has no effect: ` + times + "remove it" + policy,
				`services.crm.cache.rules[0].ttl: "1m" has no effect: ` + times + "remove the rule" + policy,
			},
		},
		"a rule that stores nothing": {
			`services: {crm: {cache: {rules: [{path: /v1/a, ttl: none, share: caller, vary: [Accept], no_cache: obey, tags: [a]}]}}}`,
			[]string{
				`services.crm.cache.rules[0].no_cache: "obey" has no effect: ttl none stores nothing: remove it`,
				`services.crm.cache.rules[0].share: "caller" has no effect: ttl none stores nothing: remove it`,
				`services.crm.cache.rules[0].tags: has no effect: ttl none stores nothing: remove it`,
				`services.crm.cache.rules[0].vary: has no effect: ttl none stores nothing: remove it`,
			},
		},
		"a tier without Redis": {"cache: {redis: {addresses: [\"a:1\"]}}", []string{"cache.redis.addresses: have no effect without a redis section"}},
		"a tier that is off": {
			"cache: {redis: {enabled: false, addresses: [\"a:1\"]}}\nredis: {addresses: [\"b:1\"], name_key: \"${env:K}\", encryption_keys: [\"${env:K}\"]}",
			[]string{"cache.redis.addresses: have no effect while cache.redis.enabled is false"},
		},
		"a tier without keys": {
			"cache: {redis: {addresses: [\"a:1\"]}}\nredis: {addresses: [\"b:1\"]}",
			[]string{
				"cache.redis.addresses: have no effect without redis.encryption_keys: stored answers never lie in Redis in the clear",
				"redis: has no encryption_keys: tokens and certificates stay out of Redis, so each replica gets its own",
			},
		},
		"a tier": {
			"cache: {redis: {addresses: [\"a:1\"]}}\nredis: {addresses: [\"b:1\"], name_key: \"${env:K}\", encryption_keys: [\"${env:K}\"]}", nil,
		},
		"used in one environment": {
			"services: {crm: {cache: {targeted: true}}}\nenvironments: {sandbox: {services: {crm: {cache: {mode: rfc9111}}}}}", nil,
		},
		"used by one service":  {"defaults: {cache: {max_object: 1MiB}}\nservices: {crm: {cache: {mode: none}}}", nil},
		"used by none":         {"defaults: {cache: {targeted: true}}", []string{`defaults.cache.targeted: "true" has no effect: in mode policy rules give the times, and no field of the upstream does: remove it, or set cache.mode: rfc9111`}},
		"an environment's own": {"environments: {sandbox: {services: {crm: {cache: {targeted: true}}}}}", []string{`environments.sandbox.services.crm.cache.targeted: "true" has no effect: in mode policy rules give the times, and no field of the upstream does: remove it, or set cache.mode: rfc9111`}},
	}
}
