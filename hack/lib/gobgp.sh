# gobgpd (and its command line client) of exact versions, in the cache. Sourced, never run.
# An entry of the cache appears whole or not at all, so parallel runs can share it.
# shellcheck shell=bash

readonly GOBGP_DEFAULT=4.8.0 # what the demo runs and what we ship
readonly GOBGP_OLD=3.10.0    # Debian 12's: must pass the same tests

gobgp_folder() { printf '%s' "$OPENELB_BGP_CACHE/gobgp/$1"; }

# A home folder may be shared by machines of different architectures.
gobgp_is_cached() {
  local folder machine=
  folder=$(gobgp_folder "$1")
  [[ -x $folder/gobgpd && -r $folder/machine ]] && read -r machine <"$folder/machine"
  [[ $machine == "$HOSTTYPE" ]]
}

# Fills MISSING_GOBGP from the versions given.
find_missing_gobgp() {
  local version
  MISSING_GOBGP=()
  for version; do
    gobgp_is_cached "$version" || MISSING_GOBGP+=("$version")
  done
}

# get_gobgp VERSION: the sources in order of preference; the first that delivers ends the search.
get_gobgp() {
  local version=$1 new source
  gobgp_is_cached "$version" && return # another run was faster
  new=$(gobgp_folder "$version").new.$$
  for source in gobgp_from_release gobgp_from_go gobgp_from_debian; do
    rm -rf "$new"
    mkdir -p "$new"
    if "$source" "$version" "$new" && gobgp_is_whole "$version" "$new"; then
      publish_gobgp "$version" "$new"
      return
    fi
  done
  rm -rf "$new"
  warn "gobgpd $version: neither a release, nor Go, nor a Debian package could deliver it"
  return 1
}

gobgp_is_whole() {
  local version=$1 folder=$2
  [[ -x $folder/gobgpd && $("$folder/gobgpd" --version 2>&1) == *"$version"* ]]
}

publish_gobgp() {
  local version=$1 new=$2 folder
  folder=$(gobgp_folder "$version")
  printf '%s\n' "$HOSTTYPE" >"$new/machine"
  rm -rf "$folder"
  mv -T "$new" "$folder"
  say "  gobgpd $version is in $folder"
}

# The release's own list of checksums guards against a damaged or substituted download.
gobgp_from_release() {
  local version=$1 folder=$2 arch archive base
  case $HOSTTYPE in
    x86_64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
    *) return 1 ;;
  esac
  archive=gobgp_${version}_linux_$arch.tar.gz
  base=https://github.com/osrg/gobgp/releases/download/v$version
  say "  gobgpd $version: asking for the official release"
  download "$base/gobgp_${version}_checksums.txt" "$folder/checksums" || return 1
  download "$base/$archive" "$folder/$archive" || return 1
  (cd "$folder" && grep -F " $archive" checksums | sha256sum --check --status) || {
    warn "gobgpd $version: the download does not match its checksum and is not used"
    return 1
  }
  tar -xzf "$folder/$archive" -C "$folder" gobgp gobgpd
  rm "$folder/$archive" "$folder/checksums"
}

download() { curl -fsSL --connect-timeout 3 --max-time 300 --speed-limit 1024 --speed-time 10 -o "$2" "$1" 2>/dev/null; }

# The module proxy's checksum database vouches for what is built.
gobgp_from_go() {
  local version=$1 folder=$2 module
  find_go || return 1
  module=github.com/osrg/gobgp/v${version%%.*}/cmd
  say "  gobgpd $version: building it with Go (a minute or two)"
  # In / there is no go.mod or go.work of somebody else's.
  (cd / && GOBIN=$folder GOFLAGS=-trimpath GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 \
    "$GO" install -ldflags=-s "$module/gobgpd@v$version" "$module/gobgp@v$version") 2>"$folder/go.log" || {
    grep -v ": downloading " "$folder/go.log" | tail -n 3 | sed "s/^/    /" >&2
    return 1
  }
  rm "$folder/go.log"
}

# Unpacked, not installed: the package would bring a service of its own.
gobgp_from_debian() {
  local version=$1 folder=$2 package
  have apt-get && have dpkg-deb || return 1
  package=$(apt-cache madison gobgpd 2>/dev/null | awk -v v="$version" '$3 ~ "^" v "-" { print $3; exit }')
  [[ $package ]] || return 1
  say "  gobgpd $version: unpacking Debian's package"
  (
    cd "$folder" || exit 1
    apt-get -qq -o APT::Sandbox::User=root download "gobgpd=$package" </dev/null
    dpkg-deb -x ./gobgpd_*.deb unpacked
    mv unpacked/usr/bin/gobgp* .
    rm -rf unpacked ./*.deb
  ) 2>/dev/null
}
