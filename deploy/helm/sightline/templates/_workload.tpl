{{/* A service in a colour: the values of its section with the colour's own laid over them. */}}

{{/* Lays the second map over the first, in place, maps within maps as well. (list into from) */}}
{{- define "sightline.overlay" -}}
{{- $into := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $into $key)) -}}
{{- include "sightline.overlay" (list (get $into $key) $value) -}}
{{- else -}}
{{- $_ := set $into $key $value -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
All that templates ask about a service in a colour, as JSON: its section of the values, and name,
component, colour, port and prefix (of its variables). (list root section colour)
*/}}
{{- define "sightline.workload" -}}
{{- $root := index . 0 -}}
{{- $section := index . 1 -}}
{{- $colour := index . 2 -}}
{{- $component := include "sightline.component" $section -}}
{{- $own := deepCopy (index $root.Values $section) -}}
{{- include "sightline.overlay" (list $own (index $root.Values.colours $colour $section)) -}}
{{- $_ := set $own "section" $section -}}
{{- $_ := set $own "colour" $colour -}}
{{- $_ := set $own "component" $component -}}
{{- $_ := set $own "name" (printf "%s-%s" $component $colour) -}}
{{- $_ := set $own "port" (include "sightline.port" $section | int) -}}
{{- $_ := set $own "prefix" (printf "SIGHTLINE_%s_" (upper $section)) -}}
{{- $_ := set $own "held" (and $root.Values.restore.enabled (eq $section "gateway")) -}}
{{- $own | toJson -}}
{{- end }}

{{/* Every service in every colour that is there, as JSON: {"workloads": [...]}. root */}}
{{- define "sightline.workloads" -}}
{{- $all := list -}}
{{- range $colour := list "blue" "green" -}}
{{- if (index $.Values.colours $colour).enabled -}}
{{- range $section := list "detection" "gateway" -}}
{{- $all = append $all (include "sightline.workload" (list $ $section $colour) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "workloads" $all | toJson -}}
{{- end }}

{{/* The settings that the chart adds, with the values' own over them, as JSON. (list root workload) */}}
{{- define "sightline.settings" -}}
{{- $root := index . 0 -}}
{{- $own := index . 1 -}}
{{- $settings := dict
      "drain_seconds" $own.drainSeconds
      "shutdown_seconds" $own.shutdownSeconds
      "access" (dict "keys" "/run/secrets/keys.toml") -}}
{{- if eq $own.section "detection" -}}
{{- $_ := set $settings "models" "/models" -}}
{{- $_ := set $settings "gateway_url" (printf "http://cop-gateway-%s:%s" $own.colour (include "sightline.port" "gateway")) -}}
{{- end -}}
{{- include "sightline.overlay" (list $settings $own.settings) -}}
{{- $settings | toJson -}}
{{- end }}

{{/* The colour whose gateway migrates: the one with the newer code, or else the idle one. root */}}
{{- define "sightline.migrationColour" -}}
{{- $active := include "sightline.live" (list . "cop-gateway") -}}
{{- $idle := include "sightline.other" $active -}}
{{- $own := include "sightline.workload" (list . "gateway" $active) | fromJson -}}
{{- if (index .Values.colours $idle).enabled -}}
{{- $next := include "sightline.workload" (list . "gateway" $idle) | fromJson -}}
{{- $semantic := `^v?[0-9]+\.[0-9]+\.[0-9]+([-+].*)?$` -}}
{{- $here := default .Chart.AppVersion $own.image.tag -}}
{{- $there := default .Chart.AppVersion $next.image.tag -}}
{{- $newer := false -}}
{{- if and (regexMatch $semantic $here) (regexMatch $semantic $there) -}}
{{- $newer = eq 1 ((semver $here).Compare (semver $there)) -}}
{{- end -}}
{{- ternary $active $idle $newer -}}
{{- else -}}
{{- $active -}}
{{- end -}}
{{- end }}

{{/* The data of a colour's ConfigMap. (list root workload) */}}
{{- define "sightline.configuration" -}}
{{- $own := index . 1 -}}
{{ $own.section }}.toml: |
  {{- include "sightline.settings" . | fromJson | include "sightline.toml" | trim | nindent 2 }}
{{- if eq $own.section "gateway" }}
{{- if eq (index . 0).Values.database.mode "sqlite" }}
database-url: sqlite:////var/lib/sightline/gateway.db
{{- end }}
{{- end }}
{{- range $name, $text := $own.files }}
{{ $name }}: {{ toJson $text }}
{{- end }}
{{- end }}
