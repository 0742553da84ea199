{{/* What waits in a service. "detection" | "gateway" */}}
{{- define "sightline.queueMetric" -}}
{{- ternary "sightline_gateway_intake_waiting_frames" "sightline_detection_queue_depth" (eq . "gateway") -}}
{{- end }}

{{/* Up at once, down slowly. workload */}}
{{- define "sightline.behaviour" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
    - {type: Pods, value: 2, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: {{ int .autoscaling.scaleDownSeconds }}
  selectPolicy: Max
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end }}
