package observability_test

// labelWords say of all labels what their values are. None has a value that a
// caller chooses.
func labelWords() map[string]string {
	return map[string]string{
		"environment":               "of the configuration",
		"service":                   "of the catalogue or the configuration",
		"caller":                    "of the configuration; absent while it is not known",
		"credential":                "of the configuration; absent for what needs none",
		"http_route":                "route pattern of the catalogue or the configuration, never a path; absent where no service was found",
		"certificate":               "its place in the configuration",
		"issuer":                    "a JWT issuer of the configuration",
		"key_id":                    "of a caller's key in the configuration",
		"policy":                    "`authenticated` or `anonymous`",
		"of":                        "whose bucket it is, where credentials do not share one",
		"class":                     "`interactive`, `batch` or `background`",
		"bucket":                    "the policy of a breaker for 429s; absent for the breaker for failures",
		"http_request_method":       "a method of RFC 9110 or `PATCH`, else `_OTHER`",
		"http_response_status_code": "absent without an answer; `_OTHER` for what is no status",
		"url_scheme":                "`http` or `https`: how the caller came",
		"error_type":                "absent without an error; a problem's type, a kind of failure, or the status",
		"server_address":            "host of the configured upstream",
		"server_port":               "port of the configured upstream",
		"outcome":                   "how it ended: a closed set of each metric; of `iqgw_exchanges_total` the type of the [problem](errors.md), `ok`, `upstream_error`, `aborted` or `client_gone`",
		"reason":                    "why: a closed set of each metric",
		"result":                    "what came of it: a closed set of each metric",
		"state":                     "of a breaker or a credential",
		"from":                      "state of a breaker",
		"to":                        "state of a breaker",
		"cause":                     "why an attempt counts as a failure",
		"kind":                      "what it is about: a closed set of each metric",
		"anomaly":                   "what is wrong with a quota field",
		"event":                     "what should be rare",
		"by":                        "`proof` or `time`",
		"mode":                      "how a bucket is counted",
		"store":                     "`redis`, or the one of the cache",
		"operation":                 "a call of the store",
		"source":                    "where a certificate comes from",
		"check":                     "a check of `/readyz?verbose`",
		"signal":                    "`traces` or `logs`",
		"hash":                      "of the configuration",
		"key":                       "of the configuration that may be overridden, with * for names",
		"version":                   "of the program",
		"revision":                  "of the program",
		"goversion":                 "of the program",
	}
}

type stageWord struct {
	asks     string // who asks what
	examples []example
}

type example struct{ asks, query string }

func stageWords() map[string]stageWord {
	return map[string]stageWord{
		"Requests of callers": {"An application team asks how fast and how well it is served, an SRE whether anybody is not, a platform team who uses what.", []example{
			{"99th percentile of a route, as callers see it", `histogram_quantile(0.99, sum by (le, http_route) (rate(http_server_request_duration_seconds_bucket[5m])))`},
			{"part of each caller's requests that the gateway refused or failed", `sum by (caller) (rate(iqgw_exchanges_total{outcome!~"ok|upstream_error|client_gone"}[5m])) / sum by (caller) (rate(iqgw_exchanges_total[5m]))`},
			{"what a caller waits on average", `sum by (caller) (rate(iqgw_exchange_duration_seconds_total[5m])) / sum by (caller) (rate(iqgw_exchanges_total[5m]))`},
		}},
		"Who calls": {"A platform team asks which keys end soon, an SRE whether somebody guesses keys, or an issuer of JWTs cannot be reached.", []example{
			{"keys that end within two weeks", `iqgw_caller_key_expiry_timestamp_seconds - time() < 14 * 86400`},
		}},
		"Limits of callers": {"An application team asks whether its 429s are its own limit or the upstream's quota, a platform team how close to its limits a caller is.", []example{
			{"part of its concurrency that a caller uses", `sum by (caller) (iqgw_caller_in_flight) / max by (caller) (iqgw_caller_limit_concurrency)`},
		}},
		"Cache": {"A platform team asks what the cache saves, an SRE whether it serves stale answers, and why.", []example{
			{"hit ratio of a service", `sum by (service) (rate(iqgw_cache_requests_total{result="hit"}[5m])) / sum by (service) (rate(iqgw_cache_requests_total[5m]))`},
			{"quota tokens saved in a day", `sum by (service) (increase(iqgw_cache_saved_tokens_total[1d]))`},
		}},
		"Quota": {"A platform team asks who uses which quota and whether it suffices, an application team why it waits, an SRE when it is spent. What is the fleet's is the same on each replica that uses a bucket: aggregate gauges with `max`, not with `sum`.", []example{
			{"part of the window that is left", `max by (environment, service, policy, of) (iqgw_quota_remaining_estimate) / max by (environment, service, policy, of) (iqgw_quota_limit)`},
			{"seconds until the window is spent, at the rate of the last minute", `max by (environment, service, policy, of) (iqgw_quota_remaining_estimate) / sum by (environment, service, policy, of) (rate(iqgw_quota_caller_tokens_total[1m]))`},
			{"seconds until it begins anew", `max by (environment, service, policy, of) (iqgw_quota_window_end_timestamp_seconds) - time()`},
			{"tokens per minute, by caller", `60 * sum by (service, caller) (rate(iqgw_quota_caller_tokens_total[5m]))`},
		}},
		"Upstream tokens": {"An SRE asks whether each account still gets tokens, and whether it is about to be locked.", []example{
			{"seconds that the token lasts", `min by (environment, credential) (iqgw_token_expiry_timestamp_seconds) - time()`},
			{"calls of the token endpoint that failed", `sum by (credential, outcome) (increase(iqgw_token_fetch_duration_seconds_count{outcome!="granted"}[1h]))`},
		}},
		"Attempts upstream": {"An SRE asks whether it is the upstream: how fast it answers, with what, and how attempts fail.", []example{
			{"part of attempts that failed", `sum by (service) (rate(http_client_request_duration_seconds_count{error_type!=""}[5m])) / sum by (service) (rate(http_client_request_duration_seconds_count[5m]))`},
			{"attempts per request of callers", `sum(rate(http_client_request_duration_seconds_count[5m])) / sum(rate(iqgw_exchanges_total[5m]))`},
		}},
		"Repetitions": {"An SRE asks whether repeating helps, or the budget keeps an ill upstream from worse.", []example{
			{"repeated attempts, by why", `sum by (service, reason) (rate(iqgw_retry_attempts_total[5m]))`},
		}},
		"Circuit breakers": {"An SRE asks which upstreams are not called now, and who opened the breaker.", []example{
			{"breakers that are not closed", `max by (environment, service, bucket, state) (iqgw_breaker_state{state!="closed"}) == 1`},
		}},
		"Slots and memory": {"An SRE asks whether a slow upstream fills its slots, or this process its memory.", []example{
			{"part of its slots that an upstream takes", `sum by (environment, service) (iqgw_bulkhead_in_flight) / sum by (environment, service) (iqgw_bulkhead_limit)`},
		}},
		"Redis and the fleet": {"An SRE asks whether the replicas still share, and how fast their store answers.", []example{
			{"replicas that do without their store", `count by (store) (iqgw_store_up == 0)`},
			{"99th percentile of calls", `histogram_quantile(0.99, sum by (le, store, operation) (rate(iqgw_store_operation_duration_seconds_bucket[5m])))`},
		}},
		"Certificates": {"An SRE asks which certificate ends, and why it was not renewed.", []example{
			{"days that a certificate lasts", `(min by (certificate) (iqgw_tls_certificate_expiry_timestamp_seconds) - time()) / 86400`},
		}},
		"The process and its configuration": {"A platform team asks whether its change serves everywhere, an SRE whether a replica is well.", []example{
			{"configurations that serve at once", `count(count by (hash) (iqgw_config_info))`},
			{"what is degraded", `max by (check) (iqgw_check_failed) == 1`},
		}},
		"Audit log": {"An auditor asks whether the record is whole.", []example{
			{"records that are lost", `sum(increase(iqgw_audit_dropped_total[1d]))`},
		}},
		"Traces and logs": {"An SRE asks whether what is missing never happened, or was never told.", []example{
			{"what is lost, by why", `sum by (signal, reason) (rate(iqgw_telemetry_dropped_total[5m]))`},
			{"logs that cannot be written", `rate(iqgw_telemetry_write_errors_total{signal="logs"}[5m]) > 0`},
		}},
	}
}
