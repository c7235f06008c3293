"""The manifests of docs/migration.md are valid, and its Services keep the addresses that MetalLB gave."""

from pathlib import Path

import pytest

from openelb_bgp.files.load import Loaded, load
from openelb_bgp.ipam import Rules, allocate
from tests.pages import marked


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    for mark, text in marked("migration.md").items():
        (tmp_path / mark.removeprefix("file: ")).write_text(text)
    return load(tmp_path, state=None)


def test_all_of_it_decodes_without_a_remark(loaded: Loaded) -> None:
    assert (loaded.invalid, loaded.problems, loaded.warnings) == ((), (), ())
    assert (len(loaded.snapshot.eips), len(loaded.snapshot.bgp_peers)) == (2, 1)


def test_every_service_keeps_its_addresses(loaded: Loaded) -> None:
    snapshot = loaded.snapshot
    decided = allocate(snapshot, rules=Rules(claim_all=False), blocked_pools=frozenset()).services
    kept = {
        key.name: tuple(str(given.address) for given in decided[key].addresses) for key in snapshot.services
    }
    assert kept == {"web": ("198.51.100.9", "2001:db8:100::42"), "mail": ("198.51.100.5",)}
    assert [one.released for one in decided.values()] == [(), ()]
