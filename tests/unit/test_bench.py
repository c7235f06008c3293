"""What the benchmark reads, writes and prints; what it measures needs a router."""

import io
import json
import re
import socket
import struct
from collections.abc import Sequence
from fnmatch import fnmatch
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from rich.console import Console

from bench import cluster_site, workload
from bench.arrivals import Arrivals
from bench.bare import addresses, stream_messages
from bench.percentiles import SHOWN, percentile
from bench.results import Measure, RowResult, show, write
from bench.rows import ROWS
from lab.errors import LabError
from lab.namespaces import Namespace
from openelb_bgp.decode import decode
from openelb_bgp.files.documents import Document, documents
from openelb_bgp.model.allocated import may_be_ours
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.snapshot import Resource

NEW, GONE, BGP, KERNEL = 24, 25, 186, 2


def gateway(address: str) -> bytes:
    return struct.pack("=HH", 8, 5) + socket.inet_aton(address)


def message(kind: int, address: str, *, protocol: int = BGP, via: Sequence[str] = ()) -> bytes:
    """An rtnetlink route message with a table, a destination and its next hops."""
    route = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, protocol, 0, 1, 0)
    table = struct.pack("=HHI", 8, 15, 254)
    destination = struct.pack("=HH", 8, 1) + socket.inet_aton(address)
    hops = b"".join(gateway(one) for one in via)
    if len(via) > 1:
        nested = b"".join(struct.pack("=HBBi", 16, 0, 0, 2) + gateway(one) for one in via)
        hops = struct.pack("=HH", 4 + len(nested), 9) + nested
    body = route + table + destination + hops
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def number(address: str) -> int:
    return int(IPv4Address(address))


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals(Namespace("none"))


def test_a_route_arrives_once_however_often_it_is_replaced(arrivals: Arrivals) -> None:
    arrivals.take(message(NEW, "198.18.0.1") + message(NEW, "198.18.0.2"), now=1.0)
    arrivals.take(message(NEW, "198.18.0.1"), now=2.0)
    assert (arrivals.count(), arrivals.at(number("198.18.0.1"))) == (2, 1.0)
    assert arrivals.wait_for(2, within=0.0) == 1.0


def test_a_route_that_goes_is_no_longer_there(arrivals: Arrivals) -> None:
    arrivals.take(message(NEW, "198.18.0.1"), now=1.0)
    arrivals.take(message(GONE, "198.18.0.1") + message(GONE, "198.18.0.9"), now=2.0)
    assert (arrivals.count(), arrivals.wait_for(0, within=0.0)) == (0, 0.0)


def test_routes_of_the_kernel_itself_do_not_count(arrivals: Arrivals) -> None:
    arrivals.take(message(NEW, "10.30.1.0", protocol=KERNEL), now=1.0)
    assert arrivals.count() == 0


def test_what_is_gone_is_counted_though_it_came_back(arrivals: Arrivals) -> None:
    arrivals.take(message(NEW, "198.18.0.1") + message(GONE, "198.18.0.1"), now=1.0)
    arrivals.take(message(NEW, "198.18.0.1"), now=2.0)
    assert (arrivals.count(), arrivals.gone, arrivals.gone_at) == (1, 1, 1.0)


def test_where_a_route_leads_is_what_was_said_of_it_last(arrivals: Arrivals) -> None:
    arrivals.take(message(NEW, "198.18.0.1", via=["10.30.1.2"]), now=1.0)
    arrivals.take(message(NEW, "198.18.0.1", via=["10.30.1.2", "10.30.2.2"]), now=2.0)
    with pytest.raises(LabError):
        arrivals.wait_for_next_hop(number("198.18.0.1"), number("10.30.2.2"), within=0.0)
    arrivals.take(message(NEW, "198.18.0.1", via=["10.30.2.2"]), now=3.0)
    assert arrivals.wait_for_next_hop(number("198.18.0.1"), number("10.30.2.2"), within=0.0) == 3.0


def resources(data: bytes, *, is_json: bool) -> list[Resource]:
    found = [one for one in documents(data, is_json=is_json) if isinstance(one, Document)]
    return [one for document in found if (one := decode(document.value).resource) is not None]


def test_services_are_the_same_in_yaml_and_in_json() -> None:
    text = "---\n".join(workload.as_yaml(index, slices=2) for index in range(3))
    listed = workload.as_json(range(3), slices=2)
    assert resources(text.encode(), is_json=False) == resources(listed.encode(), is_json=True)


def test_a_folder_holds_a_hundred_services_to_a_file(tmp_path: Path) -> None:
    workload.write_yaml(tmp_path, range(250))
    texts = [file.read_text() for file in sorted(tmp_path.iterdir())]
    assert [text.count("kind: Service\n") for text in texts] == [100, 100, 50]


def test_bare_paths_go_in_batches_of_500() -> None:
    messages = stream_messages(addresses(1_200))
    assert [len(one.paths) for one in messages] == [500, 500, 200]
    assert messages[0].paths[1].nlri.prefix.prefix == "198.19.0.1"


HELD = Measure(what="fast", value=2.0, unit="ms", bound=3.0)
OVER = Measure(what="slow", value=4.0, unit="ms", beside=1.0, bound=3.0)
OPEN = Measure(what="somehow", value=123.4, unit="MB")
RESULTS = [
    RowResult(row="a", title="first", measures=(HELD, OVER), seconds=1.5, load=0.5),
    RowResult(row="b", title="second", measures=(OPEN,)),
    RowResult(row="c", title="third", failed="the router has 3 routes after 10 s, not 4"),
]


def test_percentiles_are_in_milliseconds() -> None:
    seconds = [number / 1000 for number in range(101)]
    assert [percentile(seconds, percent) for percent in SHOWN] == pytest.approx([50.0, 95.0, 99.0])


def test_a_clusters_objects_are_what_our_own_decoders_take() -> None:
    made = cluster_site.service("web", annotations=cluster_site.MINE, **cluster_site.LOAD_BALANCER)
    found = [decode(one) for one in (made, cluster_site.endpoint_slice("web"))]
    service, endpoints = (one.resource for one in found)
    assert isinstance(service, Service)
    assert isinstance(endpoints, EndpointSlice)
    assert (service.type, may_be_ours(service)) == ("LoadBalancer", True)
    assert (endpoints.service, {one.node for one in endpoints.endpoints}) == ("web", {"node1", "node2"})


def test_the_table_marks_what_is_over_its_bound_and_what_failed() -> None:
    out = io.StringIO()
    show(RESULTS, Console(file=out, width=100))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines() if line.strip()]
    assert [line for line in lines if line[:1] != "─"] == [
        "row what measured beside bound",
        "a fast 2.00 ms 3.00 ms held",
        "slow 4.00 ms 1.00 ms 3.00 ms over",
        "b somehow 123 MB",
        "c the router has 3 routes after 10 s, not 4 failed",
    ]


def test_the_file_says_what_was_measured_on_which_machine_and_what_is_over(tmp_path: Path) -> None:
    file = tmp_path / "results" / "one.json"
    write(RESULTS, file)
    document = json.loads(file.read_text())
    assert document["machine"].keys() == {"cores", "architecture", "kernel", "python", "implementation"}
    assert [[one["over"] for one in row["measures"]] for row in document["rows"]] == [
        [False, True],
        [False],
        [],
    ]


def test_every_row_says_what_it_is_about() -> None:
    assert all(row.title for row in ROWS.values())
    assert {name for name, row in ROWS.items() if not row.needs_root} == {"changes", "plan", "help"}


def test_every_row_is_told_on_the_page_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    table = page.split("\n## What each row means\n")[1].split("\n## ")[0]
    cells = [line.split(" | ")[0].partition(":")[0] for line in table.splitlines() if line.startswith("| `")]
    told = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert [row for row in ROWS if not any(fnmatch(row, name) for name in told)] == []
    assert [name for name in told if not any(fnmatch(row, name) for row in ROWS)] == []
