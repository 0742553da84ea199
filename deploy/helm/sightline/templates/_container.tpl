{{/*
What a service's container is given: variables, mounts, volumes. All take (list root workload). Modes
are decimal, since readers of YAML disagree on octal numbers: 288 is 0440, 292 is 0444.
*/}}

{{- define "sightline.environment" -}}
{{- $root := index . 0 -}}
{{- $own := index . 1 -}}
- {name: SIGHTLINE_COLOUR, value: {{ $own.colour }}}
- {name: SIGHTLINE_VERSION, value: {{ default $root.Chart.AppVersion $own.image.tag | quote }}}
- {name: {{ $own.prefix }}HOST, value: 0.0.0.0}
- {name: {{ $own.prefix }}PORT, value: {{ $own.port | quote }}}
- {name: {{ $own.prefix }}ACCESS__TOKEN_SECRET_FILE, value: /run/secrets/token-secret}
{{- if eq $own.section "detection" }}
- {name: {{ $own.prefix }}GATEWAY_KEY_FILE, value: /run/secrets/gateway-key}
{{- else }}
{{ include "sightline.databaseVariable" $root }}
{{- end }}
{{- with $root.Values.telemetry.otlpEndpoint }}
- {name: {{ $own.prefix }}OTLP_ENDPOINT, value: {{ . }}}
{{- end }}
{{- range $name, $value := $own.environment }}
- {name: {{ $name }}, value: {{ toString $value | quote }}}
{{- end }}
{{- end }}

{{/* Where the store is. root */}}
{{- define "sightline.databaseVariable" -}}
{{- $folder := ternary "/etc/sightline" "/run/secrets" (eq .Values.database.mode "sqlite") -}}
- {name: SIGHTLINE_GATEWAY_DATABASE_FILE, value: {{ $folder }}/database-url}
{{- end }}

{{- define "sightline.mounts" -}}
{{- $own := index . 1 -}}
- {name: configuration, mountPath: /etc/sightline, readOnly: true}
- {name: secrets, mountPath: /run/secrets, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if eq $own.section "detection" }}
- {name: models, mountPath: /models, readOnly: true}
{{- else }}
- {name: state, mountPath: /var/lib/sightline}
- {name: tak, mountPath: /run/tak, readOnly: true}
{{- end }}
{{- end }}

{{- define "sightline.volumes" -}}
{{- $root := index . 0 -}}
{{- $own := index . 1 -}}
- name: configuration
  configMap: {name: {{ $own.name }}, defaultMode: 292}
- name: secrets
  secret: {secretName: {{ $own.secret }}, defaultMode: 288}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- if eq $own.section "detection" }}
- name: models
  {{- if $own.models.claim }}
  persistentVolumeClaim: {claimName: {{ $own.models.claim }}, readOnly: true}
  {{- else if $own.models.configMap }}
  configMap: {name: {{ $own.models.configMap }}, defaultMode: 292}
  {{- else }}
  emptyDir: {sizeLimit: 4Gi}
  {{- end }}
{{- else }}
- name: state
  {{- if eq $root.Values.database.mode "sqlite" }}
  persistentVolumeClaim: {claimName: {{ $own.name }}}
  {{- else }}
  # Certificates that a gateway enrolled for; it enrols again.
  emptyDir: {sizeLimit: 64Mi}
  {{- end }}
- name: tak
  secret: {secretName: {{ $own.takSecret }}, defaultMode: 288, optional: true}
{{- end }}
{{- end }}

{{/* Models out of an image. */}}
{{- define "sightline.modelsInit" -}}
{{- $root := index . 0 -}}
{{- $own := index . 1 -}}
{{- if $own.models.image.repository -}}
initContainers:
  - name: models
    image: {{ include "sightline.image" (list $root $own.models.image) }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    # What a container says last is what a preflight tells.
    terminationMessagePolicy: FallbackToLogsOnError
    command: [cp, -r, /models/., /target]
    resources:
      requests: {cpu: 50m, memory: 64Mi, ephemeral-storage: 64Mi}
      limits: {cpu: "1", memory: 256Mi, ephemeral-storage: 4Gi}
    {{- include "sightline.containerSecurity" . | nindent 4 }}
    volumeMounts:
      - {name: models, mountPath: /target}
{{- end }}
{{- end }}
