{{/* The chart name is the host name of the service, so a namespace can have only one release. */}}
{{- define "service.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimAll "._-" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ include "service.version" . | trunc 63 | trimAll "._-" | quote }}
{{ include "service.instance" . }}
{{- end }}

{{- define "service.instance" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Without the version: the selector of a Deployment is immutable. With the component: the pods of
migration and test receive no requests. */}}
{{- define "service.selector" -}}
{{ include "service.instance" . }}
app.kubernetes.io/component: server
{{- end }}

{{- define "service.version" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "service.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
volumes: [{name: tmp, emptyDir: {sizeLimit: 64Mi}}]
{{- with .Values.pod }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "service.container" -}}
image: {{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ include "service.version" . }}{{ end }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
resources: {{- toYaml .Values.resources | nindent 2 }}
volumeMounts: [{name: tmp, mountPath: /tmp}]
{{- end }}

{{- define "service.env" -}}
{{- $registration := include "registration" . | fromYaml -}}
- {name: PORT, value: {{ $registration.upstream.port | quote }}}
- {name: LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: SERVICE_VERSION, value: {{ include "service.version" . | quote }}}
- {name: DRAIN_SECONDS, value: {{ .Values.drainSeconds | quote }}}
{{- range $registration.calls }}
- {name: {{ . | upper | replace "-" "_" }}_URL, value: {{ get $.Values.calls . | default (printf "http://%s:8080" .) | quote }}}
{{- end }}
{{- with .Values.database }}{{ if .enabled }}
- {name: DATABASE_URL, valueFrom: {secretKeyRef: {name: {{ .secret | quote }}, key: {{ .key | quote }}}}}
{{- end }}{{ end }}
{{- range $name, $value := .Values.otel }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
