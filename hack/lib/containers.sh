# What tests of containers need: a Docker engine to start, and what base images are made with. Sourced, never run.
# shellcheck shell=bash

# Adds to MISSING_PACKAGES. An engine of another make is used as it is: nothing is put beside it.
find_missing_docker() {
  have dockerd && have docker || MISSING_PACKAGES+=(docker.io)
  docker compose version >/dev/null 2>&1 || have docker-compose || MISSING_PACKAGES+=(docker-compose)
  have debootstrap || MISSING_PACKAGES+=(debootstrap)
}
