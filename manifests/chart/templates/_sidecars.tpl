{{/*
gobgpd's container. Its image is stopped by SIGKILL (STOPSIGNAL), so that routers keep the routes while the next pod
starts; it restarts gobgpd itself. No CPU limit: a throttled keepalive is a lost session.
*/}}
{{- define "openelb.gobgpd" -}}
- name: gobgpd
  {{- include "openelb.sidecarLife" . | nindent 2 }}
  image: {{ include "openelb.image" (dict "root" . "own" .Values.gobgpd.image) }}
  imagePullPolicy: {{ include "openelb.pullPolicy" (dict "root" . "own" .Values.gobgpd.image) }}
  command: [openelb-bgp, sidecar, gobgpd]
  args:
    - --dir=/run/openelb-bgp
    {{- range splitList "," (.Values.speaker.apiHosts | default "") }}
    {{- with trim . }}
    - --api-hosts={{ . }}
    {{- end }}
    {{- end }}
  resources:
    {{- toYaml .Values.gobgpd.resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      # Port 179.
      add: [NET_BIND_SERVICE{{ if .Values.gobgpd.quietEdits }}, SYS_PTRACE{{ end }}]
  volumeMounts:
    - name: run
      mountPath: /run/openelb-bgp
{{- end -}}

{{/*
keepalived's container. SIGTERM means goodbye, and the next node takes over at once: unlike gobgpd's, its image must not
be stopped by SIGKILL, which would leave the addresses on the node. No CPU limit: a throttled master is a lost one.
*/}}
{{- define "openelb.keepalived" -}}
- name: keepalived
  {{- include "openelb.sidecarLife" . | nindent 2 }}
  image: {{ include "openelb.image" (dict "root" . "own" .Values.keepalived.image) }}
  imagePullPolicy: {{ include "openelb.pullPolicy" (dict "root" . "own" .Values.keepalived.image) }}
  command: [openelb-bgp, sidecar, keepalived]
  args:
    - --dir=/run/openelb-bgp
  resources:
    {{- toYaml .Values.keepalived.resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      # Addresses on the node's NICs; VRRP and gratuitous ARP.
      add: [NET_ADMIN, NET_RAW]
  volumeMounts:
    - name: run
      mountPath: /run/openelb-bgp
{{- end -}}

{{/* A native sidecar; before 1.30 a container like any other, kept until the speaker may have withdrawn. */}}
{{- define "openelb.sidecarLife" -}}
{{- if include "openelb.modern" . -}}
restartPolicy: Always
{{- else -}}
lifecycle:
  preStop:
    exec:
      command: [sleep, "10"]
{{- end -}}
{{- end -}}

{{- define "openelb.sidecars" -}}
{{- if include "openelb.withKeepalived" . }}
{{ include "openelb.keepalived" . }}
{{- end }}
{{ include "openelb.gobgpd" . }}
{{- end -}}
