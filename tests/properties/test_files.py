"""A folder after any sequence of edits reads as if it had been read once at its end; no text does harm."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.files.documents import documents
from openelb_bgp.files.manifests import Manifests, content
from openelb_bgp.files.objects import Objects
from openelb_bgp.files.rows import Row
from openelb_bgp.files.scalars import plain
from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.runtime.store import Store

SAMPLES = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: default, labels: {a: b}}\n"
    "spec: {type: LoadBalancer, ports: [{port: 80, protocol: TCP}]}\n"
    "status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: prod}\nspec: {type: LoadBalancer}\n",
    "apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: pool}\n"
    "spec: {address: 192.0.2.0/24, bgp: {advertisements: [{communities: [65000:10]}]}}\n",
    "apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: pool}\n"
    "spec: {address: 10.0.0.0/8}\n",
    "apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: bad}\n"
    "spec: {address: 1.2.3.4/99}\n",
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n"
    "metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}\n"
    "endpoints: [{addresses: [10.0.0.1], nodeName: node1}]\n",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {team: a}}\n",
)
FILES = ("a.yaml", "b.yaml", "sub/c.yaml")

texts = st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=3).map("---\n".join)
edits = st.tuples(st.sampled_from(FILES), st.one_of(texts, st.none()))
statuses = st.sampled_from([None, b'{"loadBalancer":{"ingress":[{"ip":"192.0.2.8"}]}}', b"{}"])
commits = st.tuples(st.sampled_from(["web", "api"]), statuses)


def put(manifests: Manifests, file: str, text: str | None) -> set[ObjectRef]:
    if text is None:
        return manifests.drop(file)
    return manifests.put(file, content(file, documents(text.encode(), is_json=False)))


def fresh(files: dict[str, str | None], rows: Sequence[Row]) -> Snapshot:
    manifests = Manifests()
    for file, text in files.items():
        put(manifests, file, text)
    objects = Objects(manifests)
    objects.take_all_rows(rows)
    store = Store()
    store.apply(objects.list_all())
    return store.snapshot


class Edited:
    """A folder and a state through a sequence of edits and commits."""

    def __init__(self) -> None:
        self.files: dict[str, str | None] = {"base.yaml": SAMPLES[2].replace("pool", "base")}
        self.rows: dict[str, Row] = {}
        self.manifests = Manifests()
        put(self.manifests, "base.yaml", self.files["base.yaml"])
        self.objects = Objects(self.manifests)
        self.objects.take_all_rows([])
        self.store = Store()
        self.store.apply(self.objects.list_all())

    def edit(self, file: str, text: str | None) -> None:
        self.files[file] = text
        self.store.apply(self.objects.deliver(put(self.manifests, file, text)))

    def commit(self, name: str, status: bytes | None) -> None:
        of = ref(Kind.SERVICE, name, namespace="default" if name == "web" else "prod")
        revision = len(self.rows) + 1 if name not in self.rows else self.rows[name].revision + 1
        self.rows[name] = Row(of, status, {}, {}, (), revision)
        self.store.apply(self.objects.deliver(self.objects.take_rows([self.rows[name]])))


def unnumbered(snapshot: Snapshot) -> Snapshot:
    """Without the revision, which remembers the way and not only the end."""
    return msgspec.structs.replace(snapshot, revision=0)


@given(st.lists(st.one_of(edits, commits), max_size=12))
def test_any_sequence_of_edits_and_commits_ends_where_a_fresh_start_begins(
    steps: list[tuple[str, str | None] | tuple[str, bytes | None]],
) -> None:
    edited = Edited()
    for name, what in steps:
        before = edited.store.snapshot
        if isinstance(what, bytes) or name in ("web", "api"):
            edited.commit(name, what if isinstance(what, bytes) else None)
        else:
            edited.edit(name, what)
        for key, service in edited.store.snapshot.services.items():
            if service == before.services.get(key):
                assert service is before.services[key]
    assert unnumbered(edited.store.snapshot) == unnumbered(fresh(edited.files, list(edited.rows.values())))


@given(st.permutations(FILES), st.lists(texts, min_size=3, max_size=3))
def test_the_order_in_which_files_are_read_does_not_matter(order: list[str], contents: list[str]) -> None:
    files: dict[str, str | None] = dict(zip(FILES, contents, strict=True))
    assert fresh({file: files[file] for file in order}, []) == fresh(files, [])


@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4)), max_size=5),
)
def test_no_mutation_of_a_manifest_crashes_and_none_that_does_not_parse_withdraws(
    sample: str, cuts: list[tuple[int, int, bytes]]
) -> None:
    data = sample.encode()
    for at, length, instead in cuts:
        data = data[:at] + instead + data[at + length :]
    manifests = Manifests()
    put(manifests, "a.yaml", sample)
    before = set(manifests.refs())
    found = content("a.yaml", documents(data, is_json=False))
    manifests.put("a.yaml", found)
    assert found.whole or set(manifests.refs()) == before
    Objects(manifests).list_all()


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_crash_the_reader(data: bytes, is_json: bool) -> None:
    content("a.yaml", documents(data, is_json=is_json))


@given(st.text())
def test_every_plain_scalar_means_something(text: str) -> None:
    assert plain(text) is None or isinstance(plain(text), bool | int | float | str)
