{{/* When a hook's object comes, and goes. (list when weight afterSync) */}}
{{- define "sightline.hook" -}}
helm.sh/hook: {{ index . 0 }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- if index . 2 }}
# Argo CD knows no first install: with a database of the chart's own, always afterwards.
argocd.argoproj.io/hook: PostSync
argocd.argoproj.io/hook-delete-policy: BeforeHookCreation,HookSucceeded
{{- end }}
{{- end }}
