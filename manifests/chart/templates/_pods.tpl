{{/* Whether the cluster is one of 1.30 or later: native sidecars, and policies without a webhook. */}}
{{- define "openelb.modern" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}true{{ end -}}
{{- end -}}

{{- define "openelb.withKeepalived" -}}
{{- if and .Values.speaker.vip .Values.keepalived.enabled }}true{{ end -}}
{{- end -}}

{{- define "openelb.port" -}}
{{- . | int -}}
{{- end -}}

{{/* Arguments that controller and speaker share. */}}
{{- define "openelb.commonArgs" -}}
{{- if .root.Values.ignoreExcludeLB }}
- --ignore-exclude-lb
{{- end }}
{{- if .root.Values.logLevel }}
- -v={{ int .root.Values.logLevel }}
{{- end }}
{{- with .own.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "openelb.env" -}}
- name: OPENELB_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{- end -}}

{{- define "openelb.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{- define "openelb.tokenVolume" -}}
- name: token
  projected:
    defaultMode: 0444
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- end -}}

{{- define "openelb.tokenMount" -}}
- name: token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end -}}

{{/* What of a pod's template both workloads take from their values. */}}
{{- define "openelb.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
