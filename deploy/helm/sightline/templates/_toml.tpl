{{/*
Settings as TOML. Helm's own toToml writes every number as a float, which a setting that is a whole
number refuses.
*/}}

{{/* A value on one line. any */}}
{{- define "sightline.tomlValue" -}}
{{- if kindIs "string" . -}}
{{- toJson . -}}
{{- else if kindIs "map" . -}}
{ {{- range $i, $key := keys . | sortAlpha }}{{ if $i }},{{ end }} {{ toJson $key }} = {{ include "sightline.tomlValue" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{ range $i, $each := . }}{{ if $i }}, {{ end }}{{ include "sightline.tomlValue" $each }}{{ end }}]
{{- else if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else -}}
{{ . }}
{{- end -}}
{{- end }}

{{/* Whether a value is a list of tables. any */}}
{{- define "sightline.isTables" -}}
{{- if kindIs "slice" . }}{{ if len . }}{{ if kindIs "map" (first .) }}yes{{ end }}{{ end }}{{ end -}}
{{- end }}

{{/* A file: values first, then tables, then lists of tables. map */}}
{{- define "sightline.toml" -}}
{{- $map := . -}}
{{- range $key := keys . | sortAlpha -}}
{{- $value := get $map $key -}}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value) (include "sightline.isTables" $value)) }}
{{ $key }} = {{ include "sightline.tomlValue" $value }}
{{- end -}}
{{- end -}}
{{- range $key := keys . | sortAlpha -}}
{{- $value := get $map $key -}}
{{- if kindIs "map" $value }}

[{{ $key }}]
{{- range $name := keys $value | sortAlpha }}
{{- if not (kindIs "invalid" (get $value $name)) }}
{{ $name }} = {{ include "sightline.tomlValue" (get $value $name) }}
{{- end }}
{{- end }}
{{- else if include "sightline.isTables" $value }}
{{- range $table := $value }}

[[{{ $key }}]]
{{- range $name := keys $table | sortAlpha }}
{{- if not (kindIs "invalid" (get $table $name)) }}
{{ $name }} = {{ include "sightline.tomlValue" (get $table $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
{{- end }}
