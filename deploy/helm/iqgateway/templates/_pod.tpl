{{/* The container's files: only data_dir and /tmp can be written to. */}}
{{- define "iqgateway.mounts" -}}
- {name: config, mountPath: /etc/iqgateway, readOnly: true}
- {name: data, mountPath: /var/lib/iqgateway}
- {name: tmp, mountPath: /tmp}
{{- if .Values.secrets.existingSecret }}
- {name: secrets, mountPath: /run/secrets/iqgateway, readOnly: true}
{{- end }}
{{- range $i, $s := .Values.secrets.additional }}
- {name: secrets-{{ $i }}, mountPath: {{ $s.path }}, readOnly: true}
{{- end }}
{{- if .Values.redis.enabled }}
- {name: redis, mountPath: /run/secrets/redis, readOnly: true}
{{- end }}
{{- range $name, $secret := include "iqgateway.tlsSecrets" . | fromYaml }}
- {name: tls-{{ $name }}, mountPath: /run/tls/{{ $name }}, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Secrets of server.tls, by the name of their folder in /run/tls. */}}
{{- define "iqgateway.tlsSecrets" -}}
{{- $tls := .Values.tls -}}
{{- if has $tls.mode (list "secret" "certManager") }}
main: {{ include "iqgateway.tlsSecret" . }}
{{- end }}
{{- range $tls.additionalSecrets }}
{{ . }}: {{ . }}
{{- end }}
{{- with $tls.clientCASecret }}
client-ca: {{ . }}
{{- end }}
{{- if and (eq $tls.mode "acme") $tls.acme.rootSecret }}
acme-root: {{ $tls.acme.rootSecret }}
{{- end }}
{{- end -}}

{{/* Secrets are readable by the group of the pod alone. */}}
{{- define "iqgateway.secretVolumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 64Mi}}
{{- with .Values.secrets.existingSecret }}
- {name: secrets, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- range $i, $s := .Values.secrets.additional }}
- {name: secrets-{{ $i }}, secret: {secretName: {{ $s.name }}, defaultMode: 0440}}
{{- end }}
{{- if .Values.redis.enabled }}
- {name: redis, secret: {secretName: {{ .Values.redis.existingSecret }}, defaultMode: 0440}}
{{- end }}
{{- range $name, $secret := include "iqgateway.tlsSecrets" . | fromYaml }}
- {name: tls-{{ $name }}, secret: {secretName: {{ $secret }}, defaultMode: 0440}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "iqgateway.env" -}}
- {name: GOMEMLIMIT, value: {{ include "iqgateway.memoryLimit" . }}}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "iqgateway.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
