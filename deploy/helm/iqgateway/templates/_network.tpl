{{/* Ports of Redis, from its addresses unless they are given. */}}
{{- define "iqgateway.redisPorts" -}}
{{- $ports := .Values.networkPolicy.redis.ports -}}
{{- if not $ports -}}
{{- $config := include "iqgateway.config" . | fromYaml -}}
{{- range concat (dig "redis" "addresses" list $config) (dig "cache" "redis" "addresses" list $config) -}}
{{- $ports = append $ports (splitList ":" . | last | int) -}}
{{- end -}}
{{- end -}}
{{- range $i, $port := $ports | uniq }}
{{- if $i }}
{{ end -}}
- {protocol: TCP, port: {{ $port }}}
{{- end }}
{{- end -}}

{{/* Hosts of the environments that credentials are for. */}}
{{- define "iqgateway.hosts" -}}
{{- $known := .Files.Get "files/hosts.yaml" | fromYaml -}}
{{- $hosts := .Values.networkPolicy.upstreams.hosts -}}
{{- range .Values.config.credentials -}}
{{- $hosts = concat $hosts (get $known .environment | default list) -}}
{{- end -}}
{{- $hosts | uniq | sortAlpha | toJson -}}
{{- end -}}
