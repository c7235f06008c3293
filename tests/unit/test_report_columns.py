"""Table columns of every kind, whole tables at a time, and ages as kubectl rounds them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from openelb_bgp.cli.table import aligned
from openelb_bgp.model.meta import Kind
from openelb_bgp.report.columns import COLUMNS, Table, table
from openelb_bgp.report.times import age, epoch, rfc3339

GOLDEN = Path(__file__).parents[1] / "golden"
NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((GOLDEN / "get-objects.yaml").read_text()))


def of(kind: str) -> list[dict[str, Any]]:
    return [one for one in OBJECTS if one["kind"] == kind]


@pytest.mark.parametrize("wide", [False, True], ids=["plain", "wide"])
@pytest.mark.parametrize("kind", list(COLUMNS))
def test_a_table_looks_as_the_golden_file_says(kind: str, wide: bool) -> None:
    made = table(kind, of(kind), now=NOW, wide=wide)
    golden = GOLDEN / f"get-{kind.lower()}{'-wide' if wide else ''}.txt"
    assert "\n".join(aligned([made.titles, *made.rows])) + "\n" == golden.read_text()


def test_eips_have_the_columns_that_openelb_users_know() -> None:
    assert table(Kind.EIP, of(Kind.EIP)[:1], now=NOW, wide=False) == Table(
        titles=("NAME", "CIDR", "USAGE", "TOTAL"), rows=(("eip-sample", "192.0.2.0/24", "3", "256"),)
    )


def test_an_object_without_a_status_has_empty_cells() -> None:
    bare = {"kind": "Eip", "metadata": {"name": "new"}, "spec": {"address": "192.0.2.1"}}
    assert table(Kind.EIP, [bare], now=NOW, wide=True).rows == (("new", "192.0.2.1", "", "", "", "", "", ""),)


def test_a_malformed_object_still_gets_its_row() -> None:
    odd = {"kind": "Service", "metadata": {"name": "odd"}, "spec": "what", "status": ["x"]}
    assert table(Kind.SERVICE, [odd], now=NOW, wide=False).rows == (
        ("odd", "ClusterIP", "<none>", "<none>", "<none>", "<unknown>"),
    )


def test_the_namespace_comes_first_where_it_is_asked_for() -> None:
    made = table(Kind.SERVICE, of(Kind.SERVICE)[:1], now=NOW, wide=False, namespaces=True)
    assert (made.titles[:2], made.rows[0][:2]) == (("NAMESPACE", "NAME"), ("shop", "web"))


def test_no_secret_has_columns() -> None:
    assert Kind.SECRET not in COLUMNS


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_000, "3h20m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (691_200, "8d"),
        (63_072_000, "2y"),
        (64_000_000, "2y10d"),
        (252_288_000, "8y"),
    ],
)
def test_ages_are_rounded_as_kubectl_rounds_them(seconds: int, text: str) -> None:
    assert age(seconds) == text


def test_times_are_written_and_read_as_rfc_3339() -> None:
    assert rfc3339(NOW) == "2026-01-01T00:00:00Z"
    assert (epoch("2026-01-01T00:00:00Z"), epoch("2026-01-01T01:00:00+01:00"), epoch("soon")) == (
        NOW,
        NOW,
        None,
    )


def test_cells_with_line_breaks_stay_in_their_row() -> None:
    assert aligned([("NAME", "MESSAGE"), ("a", "two\nlines")]) == ["NAME   MESSAGE", "a      two lines"]
