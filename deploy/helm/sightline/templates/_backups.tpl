{{/*
Where a colour's backups are: each colour has its own file; one database is the same for both. (list root colour)
*/}}
{{- define "sightline.backupPlace" -}}
{{- $root := index . 0 -}}
{{- $given := $root.Values.backups.bucket -}}
{{- $place := ternary (printf "s3://%s" $given.name) "/backups" (ne $given.name "") -}}
{{- if and $given.name $given.prefix }}{{ $place = printf "%s/%s" $place $given.prefix }}{{ end -}}
{{- if eq $root.Values.database.mode "sqlite" }}{{ $place = printf "%s/%s" $place (index . 1) }}{{ end -}}
{{- $place -}}
{{- end }}

{{/*
What all of them are told of the place, and, where it is of use, of keys. (list root command)
*/}}
{{- define "sightline.backupOptions" -}}
{{- $root := index . 0 -}}
{{- $command := index . 1 -}}
{{- $given := $root.Values.backups -}}
{{- $all := list -}}
{{- if $given.bucket.name -}}
{{- with $given.bucket.endpointUrl }}{{ $all = append $all (printf "--endpoint-url=%s" .) }}{{ end -}}
{{- with $given.bucket.region }}{{ $all = append $all (printf "--region=%s" .) }}{{ end -}}
{{- if $given.bucket.credentialsSecret }}{{ $all = append $all "--credentials-file=/run/s3/credentials" }}{{ end -}}
{{- end -}}
{{- if or $given.bucket.name (eq $command "verify") (and $given.encryption.identitySecret (ne $command "create")) }}{{ $all = append $all "--scratch=/backups" }}{{ end -}}
{{- if eq $command "create" -}}
{{- if and $given.bucket.name (gt (int $given.bucket.objectLockDays) 0) -}}
{{- $all = concat $all (list (printf "--object-lock-days=%d" (int $given.bucket.objectLockDays)) (printf "--object-lock-mode=%s" $given.bucket.objectLockMode)) -}}
{{- end -}}
{{- range $given.encryption.recipients }}{{ $all = append $all (printf "--recipient=%s" .) }}{{ end -}}
{{- with $given.prune }}{{ if .enabled -}}
{{- $all = concat $all (list "--prune" (printf "--keep-last=%d" (int .last)) (printf "--keep-daily=%d" (int .daily)) (printf "--keep-weekly=%d" (int .weekly)) (printf "--keep-monthly=%d" (int .monthly))) -}}
{{- end }}{{ end -}}
{{- else if $given.encryption.identitySecret -}}
{{- $all = append $all "--identity=/run/age/identity" -}}
{{- end -}}
{{- if and (eq $command "verify") (ne $root.Values.database.mode "sqlite") }}{{ $all = append $all "--server-file=/run/secrets/database-url" }}{{ end -}}
{{- $all | toJson -}}
{{- end }}

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
{{- $command := first (index . 2) -}}
{{- $options := include "sightline.backupOptions" (list $root $command) | fromJsonArray -}}
{{- $keys := and $given.bucket.name $given.bucket.credentialsSecret -}}
{{- $identity := and $given.encryption.identitySecret (ne $command "create") -}}
metadata:
  labels:
    {{- include "sightline.selector" (list "backups") | nindent 4 }}
    sightline.io/job: {{ ternary "backup" $command (eq "create" $command) }}
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
        {{- range concat (index . 2) $options }}
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
        {{- if and $keys $given.bucket.caKey }}
        - {name: AWS_CA_BUNDLE, value: /run/s3/{{ $given.bucket.caKey }}}
        {{- end }}
      resources:
        {{- toYaml $given.resources | nindent 8 }}
      {{- include "sightline.containerSecurity" . | nindent 6 }}
      volumeMounts:
        - {name: backups, mountPath: /backups}
        - {name: tmp, mountPath: /tmp}
        {{- if $keys }}
        - {name: s3, mountPath: /run/s3, readOnly: true}
        {{- end }}
        {{- if $identity }}
        - {name: age, mountPath: /run/age, readOnly: true}
        {{- end }}
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
    {{- if $keys }}
    - name: s3
      secret:
        secretName: {{ $given.bucket.credentialsSecret }}
        defaultMode: 288
    {{- end }}
    {{- if $identity }}
    - name: age
      secret:
        secretName: {{ $given.encryption.identitySecret }}
        defaultMode: 288
        items: [{key: identity, path: identity}]
    {{- end }}
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
