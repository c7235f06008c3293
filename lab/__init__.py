"""The lab: real routers and real packets, built from network namespaces.

This package is not shipped. It builds the containerlab topologies of `manifests/lab/` without containers,
starts FRR, the speakers and their gobgpd in them, and drives the tour that `make demo` shows. It touches only
namespaces, processes and folders that it made itself; everything it makes is recorded under
`/run/openelb-bgp-lab/` first, so that the next start can clean up after a crash.
"""
