{{/* The whole configuration: what the chart knows, and config: beside it. */}}
{{- define "iqgateway.config" -}}
{{- include "iqgateway.check" . -}}
{{- $server := dict "address" "0.0.0.0:8443" "tls" (include "iqgateway.tls" . | fromYaml) -}}
{{- $own := dict "version" 1 "data_dir" "/var/lib/iqgateway" "server" $server "status" (dict "address" "0.0.0.0:9091") -}}
{{- if .Values.redis.enabled -}}
{{- $_ := set $own "redis" (include "iqgateway.bundledRedis" . | fromYaml) -}}
{{- end -}}
{{- mergeOverwrite $own (deepCopy .Values.config) | toYaml -}}
{{- end -}}

{{- define "iqgateway.tls" -}}
{{- $tls := .Values.tls -}}
{{- if has $tls.mode (list "secret" "certManager") -}}
mode: files
certificates:
  - {cert_file: /run/tls/main/tls.crt, key_file: /run/tls/main/tls.key}
  {{- range $tls.additionalSecrets }}
  - {cert_file: /run/tls/{{ . }}/tls.crt, key_file: /run/tls/{{ . }}/tls.key}
  {{- end }}
{{- else if eq $tls.mode "acme" -}}
mode: acme
acme:
  domains: {{ toJson $tls.acme.domains }}
  {{- with $tls.acme.email }}
  email: {{ . }}
  {{- end }}
  {{- with $tls.acme.directory }}
  ca: {{ . }}
  {{- end }}
  {{- if $tls.acme.rootSecret }}
  ca_root_file: /run/tls/acme-root/ca.crt
  {{- end }}
  {{- if $tls.acme.http01 }}
  http_address: 0.0.0.0:8080
  {{- end }}
{{- else if eq $tls.mode "none" -}}
mode: none
allow_plaintext: true
{{- else -}}
mode: self_signed
{{- end }}
{{- if $tls.clientCASecret }}
client_ca_file: /run/tls/client-ca/ca.crt
{{- end }}
{{- end -}}

{{- define "iqgateway.bundledRedis" -}}
addresses: [{{ include "iqgateway.redisHost" . }}:6379]
password: ${file:/run/secrets/redis/password}
encryption_keys: ["${file:/run/secrets/redis/encryption-key}"]
name_key: ${file:/run/secrets/redis/name-key}
{{- end -}}

{{- define "iqgateway.redisHost" -}}
{{- printf "%s-redis" (.Release.Name | trunc 50 | trimSuffix "-") -}}
{{- end -}}

{{/* What only a restart changes; all else is reloaded in place. */}}
{{- define "iqgateway.fixed" -}}
{{- $config := include "iqgateway.config" . | fromYaml -}}
{{- $server := $config.server -}}
{{- $limits := $server.limits | default dict -}}
{{- $telemetry := $config.telemetry | default dict -}}
{{- $fixed := dict
  "config" (pick $config "data_dir" "redis" "cache" "admin" "status")
  "server" (pick $server "address" "tls" "forward_proxy" "lame_duck" "drain_timeout" (ternary "hosts" "" (eq $server.tls.mode "self_signed")))
  "limits" (pick $limits "read_header_timeout" "idle_timeout" "write_idle_timeout" "max_uri" "max_header" "max_connections" "max_memory")
  "audit" $telemetry.audit
  "format" (get ($telemetry.logs | default dict) "format") -}}
{{- toJson $fixed | sha256sum -}}
{{- end -}}
