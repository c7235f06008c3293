# containerlab of an exact version for the tests of the topologies, in the cache. Sourced, never run.
# shellcheck shell=bash

readonly CONTAINERLAB_VERSION=0.79.0

containerlab_folder() { printf '%s' "$OPENELB_BGP_CACHE/containerlab/$CONTAINERLAB_VERSION"; }

containerlab_is_cached() { is_cached "$(containerlab_folder)" containerlab; }

# Fills MISSING_CONTAINERLAB.
find_missing_containerlab() {
  MISSING_CONTAINERLAB=()
  containerlab_is_cached || MISSING_CONTAINERLAB+=(containerlab)
}

get_containerlab() {
  local folder
  folder=$(containerlab_folder)
  containerlab_is_cached && return # another run was faster
  deliver containerlab "$folder" || {
    warn "containerlab $CONTAINERLAB_VERSION: neither a release nor Go could deliver it; put one at $folder/containerlab"
    return 1
  }
  say "  containerlab $CONTAINERLAB_VERSION is in $folder"
}

containerlab_is_whole() {
  [[ -x $1/containerlab && $("$1/containerlab" version --short 2>&1) == "$CONTAINERLAB_VERSION" ]]
}

containerlab_from_release() {
  local folder=$1 arch archive base
  arch=$(release_arch) || return 1
  archive=containerlab_${CONTAINERLAB_VERSION}_linux_$arch.tar.gz
  base=https://github.com/srl-labs/containerlab/releases/download/v$CONTAINERLAB_VERSION
  say "  containerlab $CONTAINERLAB_VERSION: asking for the official release"
  download "$base/checksums.txt" "$folder/checksums" || return 1
  download_verified "$base/$archive" "$folder/$archive" "$folder/checksums" || return 1
  tar -xzf "$folder/$archive" -C "$folder" containerlab
  rm "$folder/$archive" "$folder/checksums"
}

# The module proxy's checksum database vouches for what is built. Without podman, which takes libraries of C.
containerlab_from_go() {
  local folder=$1 module=github.com/srl-labs/containerlab
  find_go || return 1
  say "  containerlab $CONTAINERLAB_VERSION: building it with Go (a minute or two)"
  # In / there is no go.mod or go.work of somebody else's.
  run_go "$folder" / install -ldflags="-s -w -X $module/cmd.Version=$CONTAINERLAB_VERSION" "$module@v$CONTAINERLAB_VERSION"
}
