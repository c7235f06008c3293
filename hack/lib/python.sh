# uv, and the project's own virtual environment. Sourced, never run.
# shellcheck shell=bash

uv_works() { have "$1" && "$1" --version >/dev/null 2>&1; }

# Fast: nothing is run. Whether it works is asked only when it is needed.
have_uv() { have uv || [[ -x $OPENELB_BGP_CACHE/uv/bin/uv ]]; }

# Sets UV, putting it into a virtual environment in the cache where there is none.
find_uv() {
  UV=uv
  uv_works "$UV" && return
  UV=$OPENELB_BGP_CACHE/uv/bin/uv
  uv_works "$UV" || locked uv fetch_uv
}

fetch_uv() {
  local folder=$OPENELB_BGP_CACHE/uv
  uv_works "$folder/bin/uv" && return # another run was faster
  say "  uv is not here: putting it into $folder"
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check uv
}

# What the environment depends on; the stubs are generated when the project is installed into it.
environment_fingerprint() {
  (cd "$PROJECT" && find pyproject.toml uv.lock protos hack/version.py -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum)
}

environment_is_current() {
  [[ -x $PROJECT/.venv/bin/python && -r $PROJECT/.venv/made-from ]] &&
    generated_files_are_there &&
    [[ $(<"$PROJECT/.venv/made-from") == "$(environment_fingerprint)" ]]
}

generated_files_are_there() {
  [[ -d $PROJECT/openelb_bgp/bgp/gobgp/_pb && -r $PROJECT/openelb_bgp/_version.py ]]
}

system_python_suffices() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

make_environment() {
  environment_is_current && return # another run was faster
  find_uv
  say "Python: uv sync"
  local options=(--frozen --quiet)
  # What was generated can be gone while the project still counts as installed.
  generated_files_are_there || options+=(--reinstall-package openelb-bgp)
  if system_python_suffices; then export UV_PYTHON_DOWNLOADS=never; fi
  (cd "$PROJECT" && env -u VIRTUAL_ENV "$UV" sync "${options[@]}")
  environment_fingerprint >"$PROJECT/.venv/made-from"
}
