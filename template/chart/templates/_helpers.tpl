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

{{/* The tag, which may be a number, else the start of the digest, else the chart's appVersion. */}}
{{- define "service.version" -}}
{{- $tag := ternary .Values.image.tag (int64 .Values.image.tag) (kindIs "string" .Values.image.tag) -}}
{{- $digest := .Values.image.digest | default "" | trimPrefix "sha256:" | trunc 12 -}}
{{ $tag | default $digest | default .Chart.AppVersion }}
{{- end }}

{{- define "service.account" -}}
{{ .Values.serviceAccount.name | default .Chart.Name }}
{{- end }}

{{/* Only the Deployment has topologySpreadConstraints. */}}
{{- define "service.pod" -}}
{{- $pod := omit (.Values.pod | default dict) "topologySpreadConstraints" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- if not $pod.securityContext }}
securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
{{- end }}
volumes:
  - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
  {{- with .Values.volumes }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with $pod }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "service.container" -}}
image: {{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ include "service.version" . }}{{ end }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
resources: {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- with .Values.volumeMounts }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with .Values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* .Values.probes is merged over these. The paths are part of the contract. A startup may take a
minute; the other probes start after it. */}}
{{- define "service.probes" -}}
startup: {httpGet: {path: /livez, port: http}, periodSeconds: 1, failureThreshold: 60}
liveness: {httpGet: {path: /livez, port: http}, timeoutSeconds: 3}
readiness: {httpGet: {path: /readyz, port: http}, periodSeconds: 3, failureThreshold: 2}
{{- end }}

{{- define "service.env" -}}
{{- $registration := include "registration" . | fromYaml -}}
{{- $names := list "PORT" "LOG_LEVEL" "SERVICE_VERSION" "DRAIN_SECONDS" -}}
- {name: PORT, value: {{ $registration.upstream.port | quote }}}
- {name: LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: SERVICE_VERSION, value: {{ include "service.version" . | quote }}}
- {name: DRAIN_SECONDS, value: {{ .Values.drainSeconds | quote }}}
{{- range $registration.calls }}
{{- $name := . | upper | replace "-" "_" | printf "%s_URL" }}{{ $names = append $names $name }}
- {name: {{ $name }}, value: {{ get $.Values.calls . | default (printf "http://%s:8080" .) | quote }}}
{{- end }}
{{- with .Values.database }}{{ if .enabled }}{{ $names = append $names "DATABASE_URL" }}
- {name: DATABASE_URL, valueFrom: {secretKeyRef: {name: {{ .secret | quote }}, key: {{ .key | quote }}}}}
{{- end }}{{ end }}
{{- range $name, $value := .Values.otel }}{{ $names = append $names $name }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range .Values.extraEnv }}
{{- if has .name $names }}{{ fail (printf "values: extraEnv has %s, which the chart sets or extraEnv has twice" .name) }}{{ end }}
{{- $names = append $names .name }}
- {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The egress that both the server and the migration need. */}}
{{- define "service.egress" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
    - ipBlock: {cidr: 169.254.20.10/32} # NodeLocal DNSCache
{{- if .Values.database.enabled }}
- ports: [{port: {{ .Values.database.port }}}] # to any address: the host is in the Secret
{{- end }}
{{- range .Values.networkPolicy.egress }}
- {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
