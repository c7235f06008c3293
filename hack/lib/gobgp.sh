# gobgpd (and its command line client) of exact versions, in the cache. Sourced, never run.
# shellcheck shell=bash

readonly GOBGP_DEFAULT=4.8.0 # what the demo runs and what we ship
readonly GOBGP_OLD=3.10.0    # Debian 12's: must pass the same tests

gobgp_folder() { printf '%s' "$OPENELB_BGP_CACHE/gobgp/$1"; }

gobgp_is_cached() { is_cached "$(gobgp_folder "$1")" gobgpd; }

# Fills MISSING_GOBGP from the versions given.
find_missing_gobgp() {
  local version
  MISSING_GOBGP=()
  for version; do
    gobgp_is_cached "$version" || MISSING_GOBGP+=("$version")
  done
}

# get_gobgp VERSION
get_gobgp() {
  local version=$1 folder
  folder=$(gobgp_folder "$version")
  gobgp_is_cached "$version" && return # another run was faster
  deliver gobgp "$folder" "$version" || {
    warn "gobgpd $version: neither a release, nor Go, nor a Debian package could deliver it"
    return 1
  }
  say "  gobgpd $version is in $folder"
}

gobgp_is_whole() {
  local folder=$1 version=$2
  [[ -x $folder/gobgpd && $("$folder/gobgpd" --version 2>&1) == *"$version"* ]]
}

gobgp_from_release() {
  local folder=$1 version=$2 arch archive base
  arch=$(release_arch) || return 1
  archive=gobgp_${version}_linux_$arch.tar.gz
  base=https://github.com/osrg/gobgp/releases/download/v$version
  say "  gobgpd $version: asking for the official release"
  download "$base/gobgp_${version}_checksums.txt" "$folder/checksums" || return 1
  download_verified "$base/$archive" "$folder/$archive" "$folder/checksums" || return 1
  tar -xzf "$folder/$archive" -C "$folder" gobgp gobgpd
  rm "$folder/$archive" "$folder/checksums"
}

# The module proxy's checksum database vouches for what is built.
gobgp_from_go() {
  local folder=$1 version=$2 module
  find_go || return 1
  module=github.com/osrg/gobgp/v${version%%.*}/cmd
  say "  gobgpd $version: building it with Go (a minute or two)"
  # In / there is no go.mod or go.work of somebody else's.
  run_go "$folder" / install -ldflags=-s "$module/gobgpd@v$version" "$module/gobgp@v$version"
}

# Unpacked, not installed: the package would bring a service of its own.
gobgp_from_debian() {
  local folder=$1 version=$2 package
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
