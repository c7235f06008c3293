# The distribution's packages: which are missing, and how to get them. Sourced, never run.
# What runs as root is in hack/install-packages.
# shellcheck shell=bash

# Fills MISSING_PACKAGES, looking for what we call and not for package names: a machine whose FRR or
# nftables comes from elsewhere needs nothing from us.
find_missing_packages() {
  MISSING_PACKAGES=()
  [[ -x /usr/lib/frr/bgpd && -x /usr/lib/frr/zebra ]] && have vtysh || MISSING_PACKAGES+=(frr)
  have ip || MISSING_PACKAGES+=(iproute2)
  have nft || MISSING_PACKAGES+=(nftables)
  have ping || MISSING_PACKAGES+=(iputils-ping)
  have tcpdump || MISSING_PACKAGES+=(tcpdump)
  have keepalived || MISSING_PACKAGES+=(keepalived)
  have curl || MISSING_PACKAGES+=(curl)
  [[ -e /etc/ssl/certs/ca-certificates.crt || -e /etc/pki/tls/certs/ca-bundle.crt ]] ||
    MISSING_PACKAGES+=(ca-certificates)
  python_packages_missing
}

# The tests run the router cookbook, which has a chapter on BIRD; the demo does without.
find_missing_bird() { have bird || MISSING_PACKAGES+=(bird2); }

# Python matters only where uv is not there yet: uv itself comes through pip in a venv.
python_packages_missing() {
  have_uv && return
  have python3 || MISSING_PACKAGES+=(python3)
  python3 -c 'import ensurepip' 2>/dev/null || MISSING_PACKAGES+=(python3-venv)
}

packages_can_be_installed() {
  have apt-get && return
  die "this machine has no apt-get. Install by your own means what Debian calls: ${MISSING_PACKAGES[*]}" \
    "(FRR's daemons are expected in /usr/lib/frr), then run this again."
}

install_missing_packages() {
  say "Installing packages: ${MISSING_PACKAGES[*]}"
  local wanted=("${MISSING_PACKAGES[@]}")
  as_root "$PROJECT/hack/install-packages" "${wanted[@]}"
  find_missing_packages
  [[ " ${wanted[*]} " != *" etcd-server "* ]] || find_missing_etcd
  [[ " ${wanted[*]} " != *" bird2 "* ]] || find_missing_bird
  [[ " ${wanted[*]} " != *" docker"* && " ${wanted[*]} " != *" debootstrap "* ]] || find_missing_docker
  ((${#MISSING_PACKAGES[@]} == 0)) || die "still missing after the installation: ${MISSING_PACKAGES[*]}"
}
