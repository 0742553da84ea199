{{/* What every pod has alike: Pod Security `restricted`, and where it runs. */}}

{{/* Of a pod. Group owns what is mounted. (user id) */}}
{{- define "sightline.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Of each container. */}}
{{- define "sightline.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* How a colour's pods are spread, or kept together with SQLite. (list workload sqlite) */}}
{{- define "sightline.spread" -}}
{{- $own := index . 0 -}}
{{- if index . 1 -}}
affinity:
  {{- include "sightline.beside" "" | nindent 2 }}
{{- else -}}
topologySpreadConstraints:
  {{- range $key, $way := dict "topology.kubernetes.io/zone" $own.spread.zones "kubernetes.io/hostname" $own.spread.nodes }}
  - topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $way }}
    maxSkew: 1
    # A node that is lost or drained is no place that lacks a pod.
    nodeTaintsPolicy: Honor
    # Each revision is spread for itself, so that a roll-out ends spread.
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "sightline.selector" (list $own.component $own.colour) | nindent 8 }}
  {{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          # Otherwise new pods flee from those that they replace, to one node.
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels:
              {{- include "sightline.selector" (list $own.component $own.colour) | nindent 14 }}
{{- end }}
{{- end }}

{{/*
Where the gateways are, of whichever colour: with SQLite all volumes must be on one node, since a
backup mounts a colour's and its own.
*/}}
{{- define "sightline.beside" -}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "sightline.selector" (list "cop-gateway") | nindent 10 }}
{{- end }}

{{/* A checksum of what is in a Secret now, where it can be looked up. (list root name) */}}
{{- define "sightline.secretChecksum" -}}
{{- $root := index . 0 -}}
{{- with lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- .data | toJson | sha256sum -}}
{{- end -}}
{{- end }}
