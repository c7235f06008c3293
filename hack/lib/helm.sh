# Helm of an exact version for the tests of the chart, in the cache. Sourced, never run.
# An entry of the cache appears whole or not at all, so parallel runs can share it.
# shellcheck shell=bash

readonly HELM_VERSION=3.19.5
readonly HELM_KUBE_MINOR=34 # of the Kubernetes 1.x libraries that it is made with

helm_folder() { printf '%s' "$OPENELB_BGP_CACHE/helm/$HELM_VERSION"; }

# A home folder may be shared by machines of different architectures.
helm_is_cached() {
  local folder machine=
  folder=$(helm_folder)
  [[ -x $folder/helm && -r $folder/machine ]] && read -r machine <"$folder/machine"
  [[ $machine == "$HOSTTYPE" ]]
}

# Fills MISSING_HELM.
find_missing_helm() {
  MISSING_HELM=()
  helm_is_cached || MISSING_HELM+=(helm)
}

get_helm() {
  local new source
  helm_is_cached && return # another run was faster
  new=$(helm_folder).new.$$
  for source in helm_from_release helm_from_go; do
    rm -rf "$new"
    mkdir -p "$new"
    if "$source" "$new" && helm_is_whole "$new"; then
      publish_helm "$new"
      return
    fi
  done
  rm -rf "$new"
  warn "Helm $HELM_VERSION: neither a release nor Go could deliver it; put one at $(helm_folder)/helm"
  return 1
}

helm_is_whole() { [[ -x $1/helm && $("$1/helm" version --short 2>&1) == "v$HELM_VERSION"* ]]; }

publish_helm() {
  local new=$1 folder
  folder=$(helm_folder)
  printf '%s\n' "$HOSTTYPE" >"$new/machine"
  rm -rf "$folder"
  mv -T "$new" "$folder"
  say "  Helm $HELM_VERSION is in $folder"
}

# The published checksum guards against a damaged or substituted download.
helm_from_release() {
  local folder=$1 arch archive base=https://get.helm.sh
  case $HOSTTYPE in
    x86_64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
    *) return 1 ;;
  esac
  archive=helm-v$HELM_VERSION-linux-$arch.tar.gz
  say "  Helm $HELM_VERSION: asking for the official release"
  download "$base/$archive.sha256sum" "$folder/checksum" || return 1
  download "$base/$archive" "$folder/$archive" || return 1
  (cd "$folder" && sha256sum --check --status checksum) || {
    warn "$base/$archive does not match its checksum and is not used"
    return 1
  }
  tar -xzf "$folder/$archive" -C "$folder" --strip-components=1 "linux-$arch/helm"
  rm "$folder/$archive" "$folder/checksum"
}

# The module proxy's checksum database vouches for what is built. At the lowest priority: it takes both cores for minutes.
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
  (cd / && GOBIN=$folder GOFLAGS=-trimpath GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 \
    nice -n 10 "$GO" install -ldflags="-s -w $stamps" "$module/cmd/helm@v$HELM_VERSION") 2>"$folder/go.log" || {
    grep -v ": downloading " "$folder/go.log" | tail -n 3 | sed "s/^/    /" >&2
    return 1
  }
  rm "$folder/go.log"
}
