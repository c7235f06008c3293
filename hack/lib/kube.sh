# A Kubernetes control plane of an exact version for the tests, in the cache; etcd is the distribution's.
# Sourced, never run.
# shellcheck shell=bash

readonly KUBE_VERSION=1.34.4
readonly KUBE_PROGRAMS=(kube-apiserver kube-controller-manager kubectl)

kube_folder() { printf '%s' "$OPENELB_BGP_CACHE/kubernetes/$KUBE_VERSION"; }

# What a folder of the user's brings is used as it is, whatever its version.
kube_asset() { [[ ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/$1 ]]; }

kube_is_cached() { is_cached "$(kube_folder)" "$1"; }

# Fills MISSING_KUBE with the programs that are neither in KUBEBUILDER_ASSETS nor in the cache.
find_missing_kube() {
  local program
  MISSING_KUBE=()
  for program in "${KUBE_PROGRAMS[@]}"; do
    kube_asset "$program" || kube_is_cached "$program" || MISSING_KUBE+=("$program")
  done
}

# Adds etcd to MISSING_PACKAGES where it is missing.
find_missing_etcd() { kube_asset etcd || have etcd || MISSING_PACKAGES+=(etcd-server); }

# get_kube: all programs by the first source that delivers them.
get_kube() {
  find_missing_kube
  ((${#MISSING_KUBE[@]})) || return 0 # another run was faster
  deliver kube "$(kube_folder)" || {
    warn "Kubernetes $KUBE_VERSION: neither a release nor Go could deliver it. Put ${KUBE_PROGRAMS[*]} and etcd" \
      "into a folder and name it in KUBEBUILDER_ASSETS"
    return 1
  }
  say "  ${KUBE_PROGRAMS[*]} $KUBE_VERSION are in $(kube_folder)"
}

kube_is_whole() {
  local program
  [[ $("$1/kube-apiserver" --version 2>&1) == *"v$KUBE_VERSION" ]] || return 1
  for program in "${KUBE_PROGRAMS[@]}"; do
    [[ -x $1/$program ]] || return 1
  done
}

kube_from_release() {
  local folder=$1 arch program
  arch=$(release_arch) || return 1
  say "  Kubernetes $KUBE_VERSION: asking for the official release"
  for program in "${KUBE_PROGRAMS[@]}"; do
    kube_program_from_release "https://dl.k8s.io/release/v$KUBE_VERSION/bin/linux/$arch/$program" "$folder/$program" || return 1
  done
}

kube_program_from_release() {
  local url=$1 file=$2 sum
  download "$url.sha256" "$file.sha256" || return 1
  # Published without a name.
  read -r sum <"$file.sha256" || [[ $sum ]]
  printf '%s  %s\n' "$sum" "${file##*/}" >"$file.sha256"
  download_verified "$url" "$file" "$file.sha256" || return 1
  rm "$file.sha256"
  chmod 755 "$file"
}

# hack/kube/go.sum vouches for what is built.
kube_from_go() {
  local folder=$1 programs stamps major minor package=k8s.io/component-base/version
  IFS=. read -r major minor _ <<<"$KUBE_VERSION"
  find_go || return 1
  say "  Kubernetes $KUBE_VERSION: building it with Go (ten minutes on two cores, 2 GB in Go's own cache)"
  programs=("${KUBE_PROGRAMS[@]/#/k8s.io/kubernetes/cmd/}")
  # What a release would have stamped: `kubectl version` shows these, and clients decide by them.
  stamps="-X $package.gitVersion=v$KUBE_VERSION -X $package.gitMajor=$major -X $package.gitMinor=$minor"
  # From a copy: in ten minutes somebody may well change branches.
  cp -r "$PROJECT/hack/kube" "$folder/source"
  run_go "$folder" "$folder/source" build -mod=readonly -ldflags "-s -w $stamps" -o "$folder/" "${programs[@]}" || return 1
  rm -r "$folder/source"
}
