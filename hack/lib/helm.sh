# Helm of an exact version for the tests of the chart, in the cache. Sourced, never run.
# shellcheck shell=bash

readonly HELM_VERSION=3.19.5
readonly HELM_KUBE_MINOR=34 # of the Kubernetes 1.x libraries that it is made with

helm_folder() { printf '%s' "$OPENELB_BGP_CACHE/helm/$HELM_VERSION"; }

helm_is_cached() { is_cached "$(helm_folder)" helm; }

# Fills MISSING_HELM.
find_missing_helm() {
  MISSING_HELM=()
  helm_is_cached || MISSING_HELM+=(helm)
}

get_helm() {
  helm_is_cached && return # another run was faster
  deliver helm "$(helm_folder)" || {
    warn "Helm $HELM_VERSION: neither a release nor Go could deliver it; put one at $(helm_folder)/helm"
    return 1
  }
  say "  Helm $HELM_VERSION is in $(helm_folder)"
}

helm_is_whole() { [[ -x $1/helm && $("$1/helm" version --short 2>&1) == "v$HELM_VERSION"* ]]; }

helm_from_release() {
  local folder=$1 arch archive base=https://get.helm.sh
  arch=$(release_arch) || return 1
  archive=helm-v$HELM_VERSION-linux-$arch.tar.gz
  say "  Helm $HELM_VERSION: asking for the official release"
  download "$base/$archive.sha256sum" "$folder/checksum" || return 1
  download_verified "$base/$archive" "$folder/$archive" "$folder/checksum" || return 1
  tar -xzf "$folder/$archive" -C "$folder" --strip-components=1 "linux-$arch/helm"
  rm "$folder/$archive" "$folder/checksum"
}

# The module proxy's checksum database vouches for what is built.
helm_from_go() {
  local folder=$1 module=helm.sh/helm/v3 stamps package
  find_go || return 1
  say "  Helm $HELM_VERSION: building it with Go (some minutes on two cores)"
  # What a release would have stamped: without a cluster, charts decide by this version of Kubernetes.
  stamps="-X $module/internal/version.version=v$HELM_VERSION"
  for package in chartutil lint/rules; do
    stamps+=" -X $module/pkg/$package.k8sVersionMajor=1 -X $module/pkg/$package.k8sVersionMinor=$HELM_KUBE_MINOR"
  done
  # In / there is no go.mod or go.work of somebody else's.
  run_go "$folder" / install -ldflags="-s -w $stamps" "$module/cmd/helm@v$HELM_VERSION"
}
