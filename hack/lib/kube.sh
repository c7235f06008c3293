# A Kubernetes control plane of an exact version for the tests, in the cache; etcd is the distribution's.
# Sourced, never run. An entry of the cache appears whole or not at all, so parallel runs can share it.
# shellcheck shell=bash

readonly KUBE_VERSION=1.34.4
readonly KUBE_PROGRAMS=(kube-apiserver kube-controller-manager kubectl)

kube_folder() { printf '%s' "$OPENELB_BGP_CACHE/kubernetes/$KUBE_VERSION"; }

# What a folder of the user's brings is used as it is, whatever its version.
kube_asset() { [[ ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/$1 ]]; }

# A home folder may be shared by machines of different architectures.
kube_is_cached() {
  local folder machine=
  folder=$(kube_folder)
  [[ -x $folder/$1 && -r $folder/machine ]] && read -r machine <"$folder/machine"
  [[ $machine == "$HOSTTYPE" ]]
}

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
  local new source
  find_missing_kube
  ((${#MISSING_KUBE[@]})) || return 0 # another run was faster
  new=$(kube_folder).new.$$
  for source in kube_from_release kube_from_go; do
    rm -rf "$new"
    mkdir -p "$new"
    if "$source" "$new" && kube_is_whole "$new"; then
      publish_kube "$new"
      return
    fi
  done
  rm -rf "$new"
  warn "Kubernetes $KUBE_VERSION: neither a release nor Go could deliver it. Put ${KUBE_PROGRAMS[*]} and etcd" \
    "into a folder and name it in KUBEBUILDER_ASSETS"
  return 1
}

kube_is_whole() {
  local program
  [[ $("$1/kube-apiserver" --version 2>&1) == *"v$KUBE_VERSION" ]] || return 1
  for program in "${KUBE_PROGRAMS[@]}"; do
    [[ -x $1/$program ]] || return 1
  done
}

publish_kube() {
  local new=$1 folder
  folder=$(kube_folder)
  printf '%s\n' "$HOSTTYPE" >"$new/machine"
  rm -rf "$folder"
  mv -T "$new" "$folder"
  say "  ${KUBE_PROGRAMS[*]} $KUBE_VERSION are in $folder"
}

kube_from_release() {
  local folder=$1 arch program base
  case $HOSTTYPE in
    x86_64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
    *) return 1 ;;
  esac
  base=https://dl.k8s.io/release/v$KUBE_VERSION/bin/linux/$arch
  say "  Kubernetes $KUBE_VERSION: asking for the official release"
  for program in "${KUBE_PROGRAMS[@]}"; do
    kube_program_from_release "$base/$program" "$folder/$program" || return 1
  done
}

# The published checksum guards against a damaged or substituted download.
kube_program_from_release() {
  local url=$1 file=$2
  download "$url.sha256" "$file.sha256" || return 1
  download "$url" "$file" || return 1
  printf '%s  %s\n' "$(<"$file.sha256")" "$file" | sha256sum --check --status || {
    warn "$url does not match its checksum and is not used"
    return 1
  }
  rm "$file.sha256"
  chmod 755 "$file"
}

# hack/kube/go.sum vouches for what is built. At the lowest priority: it takes both cores for minutes.
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
  (cd "$folder/source" && GOFLAGS=-trimpath GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 \
    nice -n 10 "$GO" build -mod=readonly -ldflags "-s -w $stamps" -o "$folder/" "${programs[@]}") \
    2>"$folder/go.log" || {
    grep -v ": downloading " "$folder/go.log" | tail -n 3 | sed "s/^/    /" >&2
    return 1
  }
  rm -r "$folder/source" "$folder/go.log"
}
