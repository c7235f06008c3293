# Programs of an exact version in the cache, by the first source that delivers them. Sourced, never run.
# An entry of the cache appears whole or not at all, so parallel runs can share it.
# shellcheck shell=bash

# A home folder may be shared by machines of different architectures; what somebody has put there by hand has no note.
#   is_cached FOLDER PROGRAM
is_cached() {
  local machine=$HOSTTYPE
  [[ -x $1/$2 ]] || return
  [[ ! -e $1/machine ]] || read -r machine <"$1/machine"
  [[ $machine == "$HOSTTYPE" ]]
}

# deliver NAME FOLDER [VERSION]: NAME_from_release, NAME_from_go and NAME_from_debian, as far as there are such, are asked
# in this order to fill a new folder; the first whose work NAME_is_whole accepts ends the search.
deliver() {
  local name=$1 folder=$2 new=$2.new.$$ source
  shift 2
  for source in "${name}_from_release" "${name}_from_go" "${name}_from_debian"; do
    declare -F "$source" >/dev/null || continue
    rm -rf "$new"
    mkdir -p "$new"
    if "$source" "$new" "$@" && "${name}_is_whole" "$new" "$@"; then
      publish "$new" "$folder"
      return
    fi
  done
  rm -rf "$new"
  return 1
}

publish() {
  printf '%s\n' "$HOSTTYPE" >"$1/machine"
  rm -rf "$2"
  mv -T "$1" "$2"
}

# Prints how releases call this machine's architecture; fails where there are none for it.
release_arch() {
  case $HOSTTYPE in
    x86_64) printf amd64 ;;
    aarch64) printf arm64 ;;
    *) return 1 ;;
  esac
}

# download URL FILE
download() { curl -fsSL --connect-timeout 3 --max-time 300 --speed-limit 1024 --speed-time 10 -o "$2" "$1" 2>/dev/null; }

# A published checksum guards against a damaged or substituted download.
#   download_verified URL FILE CHECKSUMS    CHECKSUMS as sha256sum writes them, others' lines among them
download_verified() {
  local url=$1 file=$2 checksums=$3
  download "$url" "$file" || return 1
  (cd "${file%/*}" && sha256sum --check --ignore-missing --status "$checksums") && return
  warn "$url does not match its checksum and is not used"
  return 1
}
