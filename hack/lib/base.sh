# Speaking, failing and becoming root: what every script of this folder shares. Sourced, never run.
# shellcheck shell=bash

# The checkout, wherever the caller stands.
PROJECT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)

# Everything that setup makes outside the checkout lives here (docs/start.md: "What is put where").
OPENELB_BGP_CACHE=${OPENELB_BGP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openelb-bgp}
export OPENELB_BGP_CACHE

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Whether a command exists; the sbin folders are not on every user's PATH.
have() { PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" type -P "$1" >/dev/null; }

is_root() { ((EUID == 0)); }

# Stop early, before any work, on a machine where becoming root is impossible.
need_root_for() {
  is_root && return
  have sudo || die "to $1 takes root, and this machine has no sudo: run it as root"
  say "Not root: sudo is used to $1."
}

# Run a command as root with the cache that the calling user has.
as_root() {
  if is_root; then "$@"; else sudo -- env "OPENELB_BGP_CACHE=$OPENELB_BGP_CACHE" "$@"; fi
}

# Run a command while no other setup on this machine works on the same thing.
#   locked NAME COMMAND...
locked() {
  local name=$1
  shift
  mkdir -p "$OPENELB_BGP_CACHE/locks"
  (
    if ! flock --nonblock 9; then
      say "  waiting for another setup ($name)"
      flock 9
    fi
    "$@" 9>&-
  ) 9>"$OPENELB_BGP_CACHE/locks/$name"
}
