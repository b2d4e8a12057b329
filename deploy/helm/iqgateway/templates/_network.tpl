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

{{/* Host of a URL; * stands for its placeholders. */}}
{{- define "iqgateway.hostOf" -}}
{{- regexReplaceAll "\\{[^}]*\\}" (regexFind "://[^/:]+" . | trimPrefix "://") "*" -}}
{{- end -}}

{{/* Hosts of the environments that credentials are for, of URLs in the configuration, and of the ACME directory. */}}
{{- define "iqgateway.hosts" -}}
{{- $known := .Files.Get "files/hosts.yaml" | fromYaml -}}
{{- $hosts := .Values.networkPolicy.upstreams.hosts -}}
{{- range .Values.config.credentials -}}
{{- $hosts = concat $hosts (get $known .environment | default list) -}}
{{- end -}}
{{- range concat (values (.Values.config.credentials | default dict)) (values (.Values.config.environments | default dict)) (values (.Values.config.services | default dict)) -}}
{{- range list .url .token_url -}}
{{- with . }}{{ $hosts = append $hosts (include "iqgateway.hostOf" .) }}{{ end -}}
{{- end -}}
{{- range .services -}}
{{- with .url }}{{ $hosts = append $hosts (include "iqgateway.hostOf" .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- with .Values.tls -}}
{{- if eq .mode "acme" -}}
{{- $hosts = append $hosts (get (urlParse (.acme.directory | default "https://acme-v02.api.letsencrypt.org")) "hostname") -}}
{{- end -}}
{{- end -}}
{{- $hosts | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* networkPolicy.dns in the words of Cilium, which proxies these answers. */}}
{{- define "iqgateway.ciliumDNS" -}}
{{- range .Values.networkPolicy.dns -}}
{{- $labels := dict -}}
{{- $pod := .podSelector | default dict -}}
{{- $namespace := .namespaceSelector | default dict -}}
{{- if or .ipBlock $pod.matchExpressions $namespace.matchExpressions (not $namespace.matchLabels) -}}
{{- fail "networkPolicy.flavor: cilium needs networkPolicy.dns by namespaceSelector.matchLabels, and podSelector.matchLabels if any" -}}
{{- end -}}
{{- range $key, $value := $namespace.matchLabels -}}
{{- $_ := set $labels (eq $key "kubernetes.io/metadata.name" | ternary "k8s:io.kubernetes.pod.namespace" (printf "k8s:io.cilium.k8s.namespace.labels.%s" $key)) $value -}}
{{- end -}}
{{- range $key, $value := $pod.matchLabels | default dict -}}
{{- $_ := set $labels (printf "k8s:%s" $key) $value -}}
{{- end }}
- matchLabels: {{ toJson $labels }}
{{- end -}}
{{- end -}}
