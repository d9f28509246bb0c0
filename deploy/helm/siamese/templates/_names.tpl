{{- define "siamese.labels" -}}
{{ include "siamese.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "siamese.selector" -}}
app.kubernetes.io/name: siamese
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "siamese.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ if .Values.gpu.enabled }}-cuda{{ end }}
{{- end }}
