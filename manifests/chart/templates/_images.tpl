{{/*
The image of a container, as OpenELB's chart composes it: global.imageRegistry and global.tag come first, then what is
written for the container, then what is written for all, last the chart's appVersion.
*/}}
{{- define "openelb.image" -}}
{{- $chosen := merge (dict) (include "openelb.ownImage" .own | fromYaml) .root.Values.image -}}
{{- $registry := .root.Values.global.imageRegistry | default $chosen.registry -}}
{{- $tag := .root.Values.global.tag | default $chosen.tag | default .root.Chart.AppVersion -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $chosen.repository -}}
{{- if $chosen.digest }}@{{ $chosen.digest }}{{ else }}:{{ $tag }}{{ end -}}
{{- end -}}

{{- define "openelb.pullPolicy" -}}
{{- .own.pullPolicy | default .root.Values.image.pullPolicy -}}
{{- end -}}

{{/*
What is written for one container. Where that is OpenELB's own image (a values file of theirs), neither its name nor its
tag can be used here: the notes say so.
*/}}
{{- define "openelb.ownImage" -}}
{{- $own := dict -}}
{{- $left := list -}}
{{- if include "openelb.isOpenELBs" . }}{{ $left = list "repository" "tag" "digest" }}{{ end -}}
{{- range $key, $value := . -}}
{{- if and $value (not (has $key $left)) }}{{ $_ := set $own $key $value }}{{ end -}}
{{- end -}}
{{- toYaml $own -}}
{{- end -}}

{{- define "openelb.isOpenELBs" -}}
{{- if regexMatch "(^|/)kubesphere/openelb-(controller|speaker)$" (.repository | default "") }}true{{ end -}}
{{- end -}}

{{/* A pod's imagePullSecrets: `.images` are those of its containers. */}}
{{- define "openelb.pullSecrets" -}}
{{- $names := list -}}
{{- range concat (list .root.Values.global.imagePullSecrets) (list .root.Values.image.pullSecrets) .images -}}
{{- range . -}}
{{- $names = append $names (kindIs "map" . | ternary . (dict "name" .)) -}}
{{- end -}}
{{- end -}}
{{- with $names | uniq -}}
imagePullSecrets:
{{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}
