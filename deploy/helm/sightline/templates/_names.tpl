{{/* What things are called, and how they are told apart. Each takes what its first line says. */}}

{{/* The component's name of a section of the values. "detection" | "gateway" */}}
{{- define "sightline.component" -}}
{{- ternary "cop-gateway" . (eq . "gateway") -}}
{{- end }}

{{/* The port that a section's service listens on. "detection" | "gateway" */}}
{{- define "sightline.port" -}}
{{- ternary 8001 8000 (eq . "gateway") -}}
{{- end }}

{{/* "blue" | "green" */}}
{{- define "sightline.other" -}}
{{- ternary "green" "blue" (eq . "blue") -}}
{{- end }}

{{/* The labels of an object. (list root component) or (list root component colour) */}}
{{- define "sightline.labels" -}}
{{- $root := index . 0 -}}
{{ include "sightline.selector" (rest .) }}
app.kubernetes.io/part-of: sightline
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What selects pods, and never changes. (list component) or (list component colour) */}}
{{- define "sightline.selector" -}}
app.kubernetes.io/name: sightline
app.kubernetes.io/component: {{ index . 0 }}
{{- if gt (len .) 1 }}
colour: {{ index . 1 }}
{{- end }}
{{- end }}

{{/*
The colour that a component's Service selects now; as the values say where there is none yet. An
upgrade therefore never moves traffic. (list root component)
*/}}
{{- define "sightline.live" -}}
{{- $root := index . 0 -}}
{{- $service := lookup "v1" "Service" $root.Release.Namespace (printf "%s-active" (index . 1)) -}}
{{- dig "spec" "selector" "colour" $root.Values.activeColour (default dict $service) -}}
{{- end }}

{{/* An image's full name. (list root image) */}}
{{- define "sightline.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with default $root.Values.image.registry $image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{ $image.repository }}:{{ default $root.Chart.AppVersion $image.tag }}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end }}

{{/* How a pod gets its images. root */}}
{{- define "sightline.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The section of a PriorityClass, where one is wanted. (list root component name) */}}
{{- define "sightline.priority" -}}
{{- $root := index . 0 -}}
{{- if index . 2 -}}
priorityClassName: {{ index . 2 }}
{{- else if $root.Values.priorityClasses.create -}}
priorityClassName: sightline-{{ index . 1 }}
{{- end }}
{{- end }}
