{{/* Pieces of network policies. */}}

{{/* The head of one. (list root name component) or (list root name component colour) */}}
{{- define "sightline.policyHead" -}}
{{- $root := index . 0 -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "sightline.labels" (concat (list $root) (slice . 2)) | nindent 4 }}
{{- end }}

{{/* A rule that lets names be resolved. root */}}
{{- define "sightline.dnsRule" -}}
- to:
    {{- toYaml .Values.networkPolicies.dns | nindent 4 }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}

{{/* A rule to the database, wherever that is; nothing where it is a file. root */}}
{{- define "sightline.databaseRule" -}}
{{- if eq .Values.database.mode "embedded" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "sightline.selector" (list "database") | nindent 10 }}
  ports:
    - {port: 5432, protocol: TCP}
{{- else if and (eq .Values.database.mode "external") .Values.networkPolicies.database -}}
- to:
    {{- toYaml .Values.networkPolicies.database | nindent 4 }}
  ports:
    - {port: {{ int .Values.database.port }}, protocol: TCP}
{{- end -}}
{{- end }}

{{/* Rules of the form {to, ports}, as the values have them. list */}}
{{- define "sightline.rules" -}}
{{- range $i, $rule := . }}
{{- if $i }}{{ "\n" }}{{ end -}}
- to:
    {{- toYaml .to | nindent 4 }}
  ports:
    {{- range .ports }}
    - {port: {{ int .port }}, protocol: {{ default "TCP" .protocol }}}
    {{- end }}
{{- end }}
{{- end }}
