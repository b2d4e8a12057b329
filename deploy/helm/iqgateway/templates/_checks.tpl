{{/* What a schema cannot say: settings that do not go together. */}}
{{- define "iqgateway.check" -}}
{{- $config := .Values.config -}}
{{- range list "version" "data_dir" "status" -}}
{{- if hasKey $config . -}}
{{- fail (printf "config.%s is set by the chart: remove it" .) -}}
{{- end -}}
{{- end -}}
{{- $server := $config.server | default dict -}}
{{- if hasKey $server "address" -}}
{{- fail "config.server.address is set by the chart: service.port is what callers use" -}}
{{- end -}}
{{- if hasKey $server "tls" -}}
{{- fail "config.server.tls is set by the chart: use tls" -}}
{{- end -}}
{{- include "iqgateway.checkLiterals" (dict "at" "config" "in" $config) -}}
{{- include "iqgateway.checkReplicas" . -}}
{{- include "iqgateway.checkTLS" . -}}
{{- end -}}

{{- define "iqgateway.checkReplicas" -}}
{{- $shared := or .Values.redis.enabled (hasKey .Values.config "redis") -}}
{{- $several := or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}
{{- if and .Values.redis.enabled (hasKey .Values.config "redis") -}}
{{- fail "redis.enabled and config.redis are two different Redis: choose one" -}}
{{- end -}}
{{- if and .Values.redis.enabled (not .Values.redis.existingSecret) -}}
{{- fail "redis.enabled needs redis.existingSecret, a Secret with the keys password, encryption-key and name-key (README.md has the command)" -}}
{{- end -}}
{{- if and $several (not $shared) -}}
{{- fail "several replicas need a store in common, or each spends the whole quota: set config.redis or redis.enabled, or replicaCount: 1" -}}
{{- end -}}
{{- if and $several .Values.persistence.enabled -}}
{{- fail "persistence.enabled is for one replica: several keep everything in Redis" -}}
{{- end -}}
{{- if and $several (eq .Values.tls.mode "selfSigned") -}}
{{- fail "with tls.mode: selfSigned each replica has an authority of its own: several replicas need secret, certManager or acme" -}}
{{- end -}}
{{- end -}}

{{- define "iqgateway.checkTLS" -}}
{{- $tls := .Values.tls -}}
{{- if and (eq $tls.mode "secret") (not $tls.secretName) -}}
{{- fail "tls.mode: secret needs tls.secretName, a Secret of type kubernetes.io/tls" -}}
{{- end -}}
{{- if and (eq $tls.mode "certManager") (not $tls.certManager.issuerRef.name) -}}
{{- fail "tls.mode: certManager needs tls.certManager.issuerRef.name" -}}
{{- end -}}
{{- if and $tls.additionalSecrets (not (has $tls.mode (list "secret" "certManager"))) -}}
{{- fail "tls.additionalSecrets needs tls.mode: secret or certManager" -}}
{{- end -}}
{{- if eq $tls.mode "acme" -}}
{{- if not $tls.acme.domains -}}
{{- fail "tls.mode: acme needs tls.acme.domains" -}}
{{- end -}}
{{- $keys := get (.Values.config.redis | default dict) "encryption_keys" -}}
{{- if not (or .Values.redis.enabled $keys .Values.persistence.enabled) -}}
{{- fail "tls.mode: acme orders a new certificate at each start unless one is kept: set config.redis with encryption_keys, redis.enabled or persistence.enabled" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A secret in a ConfigMap is none: only references pass. */}}
{{- define "iqgateway.checkLiterals" -}}
{{- $at := .at -}}
{{- $secret := list "password" "client_secret" "token" "read_token" "signing_key" "previous_keys" "encryption_keys" "name_key" "sentinel_password" -}}
{{- if kindIs "map" .in -}}
{{- range $key, $value := .in -}}
{{- $name := printf "%s.%s" $at $key -}}
{{- if has $key $secret -}}
{{- range (kindIs "slice" $value | ternary $value (list $value)) -}}
{{- if and . (not (kindIs "map" .)) (not (hasPrefix "${" (toString .))) -}}
{{- fail (printf "%s is a literal secret, which everybody who may read ConfigMaps would see: put it into a Secret and write ${file:/run/secrets/iqgateway/NAME}" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "iqgateway.checkLiterals" (dict "at" $name "in" $value) -}}
{{- end -}}
{{- else if kindIs "slice" .in -}}
{{- range $i, $value := .in -}}
{{- include "iqgateway.checkLiterals" (dict "at" (printf "%s[%d]" $at $i) "in" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
