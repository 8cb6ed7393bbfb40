{{/* The release's name for everything; short enough for what is put behind it. */}}
{{- define "fleetmeter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select; called with (dict "root" $ "component" "gateway"). */}}
{{- define "fleetmeter.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* All labels of an object. */}}
{{- define "fleetmeter.labels" -}}
{{ include "fleetmeter.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- end -}}

{{- define "fleetmeter.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "fleetmeter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image with its tag; called with (dict "root" $ "image" .Values.gateway.image). */}}
{{- define "fleetmeter.image" -}}
{{ printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) }}
{{- end -}}

{{/* What every pod has: nobody's rights, and no token of the cluster's API. */}}
{{- define "fleetmeter.pod" -}}
serviceAccountName: {{ include "fleetmeter.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "fleetmeter.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Where the store is, and as whom; called with (dict "root" $ "login" .Values.store.writer). */}}
{{- define "fleetmeter.store" -}}
- name: FLEETMETER_REDIS_URL
  value: {{ .root.Values.store.url | quote }}
- name: FLEETMETER_NAMESPACE
  value: {{ .root.Values.store.namespace | quote }}
{{- if or .login.existingSecret .login.password }}
{{- with .login.username }}
- name: FLEETMETER_REDIS_USERNAME
  value: {{ . | quote }}
{{- end }}
- name: FLEETMETER_REDIS_PASSWORD_FILE
  value: /run/secrets/fleetmeter/{{ .login.secretKey }}
{{- end }}
{{- end -}}

{{/* A Secret's key as a file: of the user's Secret, or of ours; called with root, existing and key. */}}
{{- define "fleetmeter.secret" -}}
- secret:
    name: {{ default (include "fleetmeter.fullname" .root) .existing }}
    items:
      - key: {{ .key }}
        path: {{ .key }}
{{- end -}}

{{/* The peers of a policy's rule; an empty list means everybody in the cluster. */}}
{{- define "fleetmeter.peers" -}}
{{- if . }}
{{- toYaml . }}
{{- else -}}
- namespaceSelector: {}
{{- end }}
{{- end -}}
