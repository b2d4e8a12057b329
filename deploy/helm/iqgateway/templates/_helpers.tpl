{{/* The chart's own names. */}}
{{- define "iqgateway.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "iqgateway.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "iqgateway.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* What selects all pods of a release: the gateway, its doctor and its test. */}}
{{- define "iqgateway.selector" -}}
app.kubernetes.io/name: iqgateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "iqgateway.gateway" -}}
{{ include "iqgateway.selector" . }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "iqgateway.labels" -}}
{{ include "iqgateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "iqgateway.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "iqgateway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "iqgateway.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- end -}}

{{/* Seconds of a Go duration, rounded up. */}}
{{- define "iqgateway.seconds" -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+(h|ms|m|s)" . -1 -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $sum = addf $sum (mulf (trimSuffix $unit . | float64) (index (dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001) $unit)) -}}
{{- end -}}
{{- ceil $sum | int64 -}}
{{- end -}}

{{/* Longer than the gateway takes to end: the lame duck, the drain and 5 s. */}}
{{- define "iqgateway.grace" -}}
{{- $server := .Values.config.server | default dict -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (include "iqgateway.seconds" ($server.lame_duck | default "5s")) (include "iqgateway.seconds" ($server.drain_timeout | default "30s")) 10 -}}
{{- else -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- end -}}
{{- end -}}

{{- define "iqgateway.memoryLimit" -}}
{{- $limit := .Values.resources.limits.memory -}}
{{- $mebibytes := ternary 1024 1 (hasSuffix "Gi" $limit) | mul (regexFind "^[0-9]+" $limit) -}}
{{- div (mul $mebibytes 9) 10 -}}MiB
{{- end -}}

{{/* The certificate's Secret, in the modes that have one. */}}
{{- define "iqgateway.tlsSecret" -}}
{{- .Values.tls.secretName | default (printf "%s-tls" (include "iqgateway.fullname" .)) -}}
{{- end -}}
