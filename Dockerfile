# The images of openelb-bgp. The last stage, which is what `docker build .` makes, is the daemon: controller, speaker
# and CLI, with gobgpd and keepalived for whoever runs them in the same container. `--target`:
#
#   gobgpd, keepalived   the same, as the sidecars that the manifests name: another command, another stop signal
#   lab, router          the nodes of the labs in docker-compose.yml and manifests/lab; not for production
#
# Users and capabilities are the manifests': the controller and the CLI run as nobody in particular, speaker and
# sidecars as root with all capabilities dropped but one or two. File capabilities would be lost on both: Kubernetes
# sets no_new_privs (allowPrivilegeEscalation: false), under which they do not count.
#
# Nothing here needs BuildKit. For an SBOM there are dpkg's status, the wheels' dist-info and gobgpd's build info.

ARG BASE=debian:bookworm-slim
ARG GO_BASE=golang:1.25-bookworm


FROM ${GO_BASE} AS build-gobgpd
ARG GOBGP_VERSION=4.8.0
# Go's checksum database vouches for the module; `-trimpath` and no cgo make the build the same everywhere.
RUN CGO_ENABLED=0 GOFLAGS=-trimpath GOTOOLCHAIN=local GOBIN=/out \
    go install -ldflags="-s -w" "github.com/osrg/gobgp/v${GOBGP_VERSION%%.*}/cmd/gobgpd@v${GOBGP_VERSION}"
ARG SOURCE_DATE_EPOCH=0
RUN touch --date="@${SOURCE_DATE_EPOCH}" /out/gobgpd


FROM ${BASE} AS system
# keepalived brings iproute2; and for its SNMP, which nothing here asks, all of Perl and the MIBs. Logs and lists would
# differ from build to build.
RUN export DEBIAN_FRONTEND=noninteractive \
 && for path in '/usr/share/perl/*' '/usr/lib/*/perl/*' '/usr/share/snmp/*' '/usr/share/zoneinfo/*'; \
    do echo "path-exclude $path"; done > /etc/dpkg/dpkg.cfg.d/openelb-bgp \
 && apt-get -qq update \
 && apt-get -qq install --no-install-recommends keepalived python3 >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
    /var/log/apt /var/log/*.log /usr/lib/python3.*/test /usr/lib/python3.*/pydoc_data \
 && echo "openelb-bgp:x:65532:" >> /etc/group \
 && echo "openelb-bgp:x:65532:65532:openelb-bgp:/:/usr/sbin/nologin" >> /etc/passwd


FROM system AS build
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get -qq update \
 && apt-get -qq install --no-install-recommends binutils python3-pip >/dev/null
WORKDIR /src
COPY hack/image/uv.txt ./
RUN python3 -m pip install --quiet --break-system-packages --require-hashes --only-binary :all: -r uv.txt
COPY pyproject.toml uv.lock ./
# What uv.lock pins, with its hashes, in pip's words, but for the highlighter of source code that rich asks for: nothing
# here shows any, and it is 10 MB. pip stays outside of the environment that it fills.
RUN uv export --quiet --frozen --no-emit-project --no-emit-package pygments --no-dev -o locked.txt \
 && uv export --quiet --frozen --no-emit-project --only-group build -o locked-build.txt \
 && python3 -m venv --without-pip /opt/openelb-bgp \
 && python3 -m venv --without-pip /opt/build \
 && python3 -m pip --quiet --python /opt/openelb-bgp/bin/python install \
    --no-compile --no-deps --require-hashes --only-binary :all: -r locked.txt \
 && python3 -m pip --quiet --python /opt/build/bin/python install \
    --no-deps --require-hashes --only-binary :all: -r locked-build.txt
COPY CHANGELOG.md LICENSE README.md ./
COPY docs/openelb-bgp.1 docs/
COPY hack/version.py hack/
COPY protos protos
COPY openelb_bgp openelb_bgp
# Wheels bring sources and symbols of their extension modules. All bytecode is made anew, by one process: what the build
# itself has imported has some already, with the time of the build in it. SOURCE_DATE_EPOCH: the seconds since 1970 that
# every file is given; and the version, which git tells where it is there.
ARG SOURCE_DATE_EPOCH=0
ARG VERSION=
RUN export SOURCE_DATE_EPOCH OPENELB_BGP_VERSION="${VERSION}" \
 && /opt/build/bin/python -m hatchling build -t wheel -d /dist \
 && python3 -m pip --quiet --python /opt/openelb-bgp/bin/python install \
    --no-compile --no-deps --no-index /dist/*.whl \
 && rm -rf /opt/openelb-bgp/lib/python3*/site-packages/*.dist-info/direct_url.json \
    /opt/openelb-bgp/lib/python3*/site-packages/grpc/_cython/_credentials \
 && find /opt/openelb-bgp -regex '.*\.\(pyi\|pyx\|pxd\|pxi\|h\|c\)' -delete \
 && cd /opt/openelb-bgp/bin && find . -type f ! -name openelb-bgp -delete \
 && find /opt/openelb-bgp -name '*.so' -exec strip --strip-unneeded {} + \
 && python3 -m compileall -f -q --invalidation-mode unchecked-hash /opt/openelb-bgp/lib \
 && find /opt/openelb-bgp -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +


FROM system AS runtime
COPY --from=build /opt/openelb-bgp /opt/openelb-bgp
COPY --from=build-gobgpd /out/gobgpd /usr/local/bin/gobgpd
ENV PATH=/opt/openelb-bgp/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["openelb-bgp"]
CMD ["--help"]
ARG VERSION=
ARG REVISION=unknown
LABEL org.opencontainers.image.title="openelb-bgp" \
      org.opencontainers.image.description="LoadBalancer Services for clusters without a cloud: by BGP, ARP or VRRP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="debian:bookworm-slim"


# What stands in for kube-proxy, pods and clients in the labs.
FROM system AS lab-system
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get -qq update \
 && apt-get -qq install --no-install-recommends curl iputils-ping nftables tcpdump >/dev/null \
 && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/openelb-bgp/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/lab \
    PYTHONUNBUFFERED=1


# Debian's FRR beside it.
FROM lab-system AS router
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get -qq update \
 && apt-get -qq install --no-install-recommends frr >/dev/null \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/openelb-bgp /opt/openelb-bgp
COPY lab /opt/lab/lab
COPY manifests/lab /opt/lab/manifests/lab
ENTRYPOINT ["python", "-m", "lab.containers"]
CMD ["--help"]


FROM lab-system AS lab
COPY --from=build /opt/openelb-bgp /opt/openelb-bgp
COPY lab /opt/lab/lab
COPY manifests/lab /opt/lab/manifests/lab
ENTRYPOINT ["python", "-m", "lab.containers"]
CMD ["--help"]


FROM runtime AS keepalived
# SIGTERM: keepalived says goodbye, and the next node takes over at once.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["openelb-bgp", "health", "keepalived"]
CMD ["sidecar", "keepalived", "--dir=/run/openelb-bgp"]


FROM runtime AS gobgpd
# SIGKILL: the routers keep the routes for the restart time, while the next container starts.
STOPSIGNAL SIGKILL
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["openelb-bgp", "health", "gobgpd"]
CMD ["sidecar", "gobgpd", "--dir=/run/openelb-bgp"]


FROM runtime AS daemon
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["openelb-bgp", "health"]
