"""One control plane on disk: its folder with keys, tokens and kubeconfigs, its ports, and its command lines.

Nothing is started here.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from lab.cluster.keys import Authority, Pair, TokenSigner, make_authority, make_token_signer
from lab.cluster.programs import kube_program

ISSUER = "https://kubernetes.default.svc"
"""Of service accounts' tokens, and their audience."""

SERVICE_RANGES = "10.96.0.0/16,fd00:10:96::/112"

# What our code relies on, or what would undo it: EndpointSlices follow Pods, deletions are finished, owners
# take their own along. No node lifecycle: nobody renews the leases of nodes that have no kubelet.
_CONTROLLERS = (
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "endpoints-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
    "validatingadmissionpolicy-status-controller",
    "daemonset-controller",
    "deployment-controller",
    "replicaset-controller",
    "disruption-controller",
)


# How often etcd tells the API server how far it is. Debian's 3.4.23 cannot be asked, as API servers ask
# 3.4.25 and later: a watch without a resourceVersion would wait for it in vain (seen with 1.34).
_PROGRESS = "1s"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the three listen; the controller-manager does not."""

    api: int = 6443
    etcd: int = 2379
    etcd_peer: int = 2380


@dataclass(frozen=True, slots=True)
class Plane:
    """A control plane's files and addresses. `make_plane` makes one."""

    folder: Path
    address: str
    ports: Ports = Ports()

    @property
    def url(self) -> str:
        """The API server's."""
        return f"https://{self.address}:{self.ports.api}"

    @property
    def ca(self) -> Path:
        """What its clients trust."""
        return self.folder / "ca.crt"

    @property
    def authority(self) -> Authority:
        """Who signed the API server's certificate."""
        return Authority(self.folder)

    @property
    def signer(self) -> TokenSigner:
        """Signs tokens as the API server does."""
        return TokenSigner(self.folder)

    @property
    def certificate(self) -> Pair:
        """The API server's own."""
        return Pair(self.folder / "api-server.crt", self.folder / "api-server.key")

    @property
    def admin_token(self) -> str:
        """May do everything."""
        return (self.folder / "admin.token").read_text()

    @property
    def admin_kubeconfig(self) -> Path:
        """For a person, or a test: may do everything."""
        return self.folder / "admin.kubeconfig"

    def etcd(self) -> tuple[str, ...]:
        """etcd's command line. Its data does not survive a crash of the machine."""
        client, peer = f"http://127.0.0.1:{self.ports.etcd}", f"http://127.0.0.1:{self.ports.etcd_peer}"
        return (
            # By the environment, as newer versions have no such flag and no such need.
            *("env", f"ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL={_PROGRESS}"),
            *(kube_program("etcd"), "--name", "only", "--data-dir", str(self.folder / "etcd")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"only={peer}", "--unsafe-no-fsync", "--log-level", "warn"),
        )

    def api_server(self, *flags: str) -> tuple[str, ...]:
        """kube-apiserver's command line; a flag given here wins over the same one below."""
        return (
            *(kube_program("kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{self.ports.etcd}"),
            *(f"--bind-address={self.address}", f"--advertise-address={self.address}"),
            # A loopback address is refused as an endpoint of the Service `kubernetes`, and nobody uses it.
            *(f"--secure-port={self.ports.api}", "--endpoint-reconciler-type=none"),
            f"--tls-cert-file={self.certificate.certificate}",
            f"--tls-private-key-file={self.certificate.key}",
            f"--client-ca-file={self.ca}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={self.folder / 'service-accounts.pub'}",
            f"--service-account-signing-key-file={self.folder / 'service-accounts.key'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            *("--authorization-mode=RBAC", f"--service-cluster-ip-range={SERVICE_RANGES}"),
            *("--allow-privileged=true", "--profiling=false", *flags),
        )

    def controller_manager(self) -> tuple[str, ...]:
        """kube-controller-manager's command line: the controllers that our code relies on."""
        return (
            kube_program("kube-controller-manager"),
            f"--kubeconfig={self.folder / 'controller-manager.kubeconfig'}",
            f"--controllers={','.join(_CONTROLLERS)}",
            f"--root-ca-file={self.ca}",
            *("--use-service-account-credentials", "--leader-elect=false", "--secure-port=0"),
            *("--kube-api-qps=500", "--kube-api-burst=1000"),
        )

    def kubectl(self, *arguments: str) -> tuple[str, ...]:
        """kubectl's command line, as the admin."""
        cached = f"--cache-dir={self.folder / 'kubectl-cache'}"
        return (kube_program("kubectl"), f"--kubeconfig={self.admin_kubeconfig}", cached, *arguments)

    def write_kubeconfig(self, file: Path, *, token: str, server: str = "") -> Path:
        """A kubeconfig for whoever has that token; `server` instead of the API server itself."""
        cluster = {"server": server or self.url, "certificate-authority": str(self.ca)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "lab", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "current-context": "lab",
        }
        # JSON is YAML too.
        _write_secret(file, json.dumps(content, indent=1))
        return file


def make_plane(folder: Path, *, address: str, ports: Ports = Ports(), hosts: tuple[str, ...] = ()) -> Plane:
    """Make keys, tokens and kubeconfigs in `folder`.

    The API server listens at `address`; its certificate also holds for `hosts`, at which something else may
    pass connections on to it.
    """
    names = dict.fromkeys((address, "127.0.0.1", "localhost", "kubernetes.default.svc", *hosts))
    make_authority(folder).server("api-server", names)
    make_token_signer(folder)
    plane, admin, manager = Plane(folder, address, ports), secrets.token_hex(16), secrets.token_hex(16)
    _write_secret(folder / "admin.token", admin)
    _write_secret(
        folder / "tokens.csv",
        f'{admin},admin,admin,"system:masters"\n'
        f"{manager},system:kube-controller-manager,controller-manager\n",
    )
    plane.write_kubeconfig(plane.admin_kubeconfig, token=admin)
    plane.write_kubeconfig(folder / "controller-manager.kubeconfig", token=manager)
    return plane


def _write_secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
