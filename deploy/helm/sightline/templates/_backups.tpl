{{/*
The pod of `sightline backups`. With SQLite it sits beside the colour's gateway, whose volume it shares;
with PostgreSQL it goes by the network. (list root colour arguments)
*/}}
{{- define "sightline.backupPod" -}}
{{- $root := index . 0 -}}
{{- $colour := index . 1 -}}
{{- $given := $root.Values.backups -}}
{{- $gateway := include "sightline.workload" (list $root "gateway" $colour) | fromJson -}}
{{- $sqlite := eq $root.Values.database.mode "sqlite" -}}
metadata:
  labels:
    {{- include "sightline.selector" (list "backups") | nindent 4 }}
    sightline.io/job: {{ ternary "restore" "backup" (eq "restore" (first (index . 2))) }}
spec:
  restartPolicy: Never
  serviceAccountName: sightline-backups
  {{- include "sightline.podSecurity" 10001 | nindent 2 }}
  {{- with include "sightline.pullSecrets" $root }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $gateway.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $gateway.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $sqlite }}
  affinity:
    podAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "sightline.selector" (list "cop-gateway" $colour) | nindent 16 }}
  {{- end }}
  containers:
    - name: backups
      image: {{ include "sightline.image" (list $root $given.image) }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      # What a container says last is what a preflight tells.
      terminationMessagePolicy: FallbackToLogsOnError
      args:
        - backups
        {{- range index . 2 }}
        - {{ . | quote }}
        {{- end }}
        - --database-file={{ ternary "/etc/sightline" "/run/secrets" $sqlite }}/database-url
        {{- if not $sqlite }}
        # Policies elsewhere may have yet to learn of this pod.
        - --wait=1m
        {{- end }}
        - --json
      env:
        - {name: HOME, value: /tmp}
      resources:
        {{- toYaml $given.resources | nindent 8 }}
      {{- include "sightline.containerSecurity" . | nindent 6 }}
      volumeMounts:
        - {name: backups, mountPath: /backups}
        - {name: tmp, mountPath: /tmp}
        {{- if $sqlite }}
        - {name: configuration, mountPath: /etc/sightline, readOnly: true}
        - {name: state, mountPath: /var/lib/sightline}
        {{- else }}
        - {name: secrets, mountPath: /run/secrets, readOnly: true}
        {{- end }}
  volumes:
    - name: backups
      persistentVolumeClaim: {claimName: {{ default "sightline-backups" $given.volume.existingClaim }}}
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
    {{- if $sqlite }}
    - name: configuration
      configMap:
        name: {{ $gateway.name }}
        defaultMode: 292
        items: [{key: database-url, path: database-url}]
    - name: state
      persistentVolumeClaim: {claimName: {{ $gateway.name }}}
    {{- else }}
    # Of the gateway's Secret this alone.
    - name: secrets
      secret:
        secretName: {{ $gateway.secret }}
        defaultMode: 288
        items: [{key: database-url, path: database-url}]
    {{- end }}
{{- end }}
