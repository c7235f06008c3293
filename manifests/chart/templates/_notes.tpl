{{/* What to do next: the first object that is missing, with one to begin with. */}}
{{- define "openelb.notes.missing" -}}
{{- $has := dict -}}
{{- range $kind := list "Eip" "BgpConf" "BgpPeer" -}}
{{- if $.Capabilities.APIVersions.Has (printf "network.kubesphere.io/v1alpha2/%s" $kind) -}}
{{- $found := (lookup "network.kubesphere.io/v1alpha2" $kind "" "").items -}}
{{- if $found }}{{ $_ := set $has $kind $found }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if not $has.Eip -}}
What is missing: there is no Eip, the pool from which Services get their addresses. One to begin with:

kubectl apply -f - <<END
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata:
  name: public
  annotations: {eip.openelb.kubesphere.io/is-default-eip: "true"}
spec:
  address: 198.51.100.0/28
  protocol: bgp               # or layer2, or vip
END

and for the protocol bgp a BgpConf named default (your AS) and a BgpPeer (your router).
{{- else if and (include "openelb.notes.hasBgpPools" $has.Eip) (not $has.BgpConf) -}}
What is missing: there are pools of protocol bgp, and no BgpConf named default that says which AS is yours:

kubectl apply -f - <<END
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpConf
metadata: {name: default}
spec: {as: 65000}
END
{{- else if and (include "openelb.notes.hasBgpPools" $has.Eip) (not $has.BgpPeer) -}}
What is missing: there are pools of protocol bgp, and no BgpPeer that names a router:

kubectl apply -f - <<END
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpPeer
metadata: {name: router}
spec:
  conf: {neighborAddress: 192.0.2.1, peerAs: 65001}
END
{{- else -}}
See what is announced, by whom, and why not the rest:

  kubectl get eip,bgpconfs,bgppeers,speakers
{{- end }}

A Service of type LoadBalancer asks for an address by the annotation lb.kubesphere.io/v1alpha1: openelb, or by
spec.loadBalancerClass: lb.kubesphere.io/openelb.
{{- if .Values.controller.claimAll }} Those without a class get one too (claimAll).{{ end }}
{{- end -}}

{{- define "openelb.notes.hasBgpPools" -}}
{{- range . }}{{ if eq (.spec.protocol | default "bgp") "bgp" }}true{{ end }}{{ end -}}
{{- end -}}

{{/* What the operator should know of the values: a YAML list. */}}
{{- define "openelb.notes.warnings" -}}
{{- $said := list -}}
{{- with .Values.speaker.apiHosts -}}
{{- $said = append $said (printf "speaker.apiHosts opens gobgpd's API at %s of every node: it knows no authentication, and whoever reaches it owns your routes." .) -}}
{{- end -}}
{{- range $component := list "controller" "speaker" -}}
{{- $image := (index $.Values $component).image -}}
{{- if include "openelb.isOpenELBs" $image -}}
{{- $said = append $said (printf "%s.image names OpenELB's own %s, which does not hold this program: its repository and tag are left out. Take them out of your values." $component $image.repository) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "admission" "customImage" -}}
{{- if index $.Values $key -}}
{{- $said = append $said (printf "%s has no effect here: take it out of your values." $key) -}}
{{- end -}}
{{- end -}}
{{- if .Values.speaker.memberlistSecret -}}
{{- $said = append $said "speaker.memberlistSecret has no effect here: speakers sign with keys of the Secret openelb-membership, which the controller makes." -}}
{{- end -}}
{{- if and .Values.speaker.vip (not .Values.keepalived.enabled) -}}
{{- $said = append $said "speaker.vip is on and keepalived.enabled is off: nobody holds the addresses of pools of protocol vip." -}}
{{- end -}}
{{- $labels := dig "metadata" "labels" (dict) (lookup "v1" "Namespace" "" .Release.Namespace) -}}
{{- with index $labels "pod-security.kubernetes.io/enforce" -}}
{{- if ne . "privileged" -}}
{{- $said = append $said (printf "the namespace %s takes no pod of the speakers (pod-security.kubernetes.io/enforce: %s), which live on the node's network. Allow them: kubectl label --overwrite namespace %s pod-security.kubernetes.io/enforce=privileged" $.Release.Namespace . $.Release.Namespace) -}}
{{- end -}}
{{- end -}}
{{- toYaml $said -}}
{{- end -}}

{{/* The names of definitions that are in the cluster and say something else than the chart's do. */}}
{{- define "openelb.outdatedDefinitions" -}}
{{- range $path, $_ := .Files.Glob "crds/*.yaml" -}}
{{- $ours := $.Files.Get $path | fromYaml -}}
{{- $theirs := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" $ours.metadata.name -}}
{{- if and $theirs (ne (include "openelb.served" $ours) (include "openelb.served" $theirs)) }}{{ $ours.metadata.name }} {{ end -}}
{{- end -}}
{{- end -}}

{{- define "openelb.served" -}}
{{- range .spec.versions }}{{ if .served }}{{ toJson .schema.openAPIV3Schema }}{{ end }}{{ end -}}
{{- end -}}
