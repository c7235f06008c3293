"""Versions of a Table, each made from any before it: they read like dicts, and know in what they differ."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.lib.tables import Table

VALUES = (object(), object(), object())
_MOST = 150
Edits = dict[int, int | None]
"""Name → which value, None to take it out."""

# So many names that layers are folded, and edits of few and of many of them.
names = st.integers(0, _MOST)
edits = st.one_of(
    st.dictionaries(names, st.sampled_from((0, 1, 2, None)), max_size=4),
    st.dictionaries(names, st.sampled_from((0, 1, 2, None)), min_size=10, max_size=30),
)
histories = st.lists(st.tuples(st.integers(0, 100), edits), min_size=1, max_size=12)


def live(history: list[tuple[int, Edits]]) -> list[tuple[Table[int, object], dict[int, object]]]:
    """Every version, beside the dict that it should read like. The first number of a step says its
    parent: the empty one, a full one, or another step's."""
    versions: list[tuple[Table[int, object], dict[int, object]]] = [(Table(), {})]
    full = dict.fromkeys(range(0, _MOST, 2), VALUES[0])
    versions.append((Table(full), full))
    for parent, changes in history:
        table, model = versions[parent % len(versions)]
        draft, copy = table.draft(), dict(model)
        for name, value in changes.items():
            if value is not None:
                draft[name] = copy[name] = VALUES[value]
            else:
                assert draft.pop(name) is copy.pop(name, None)
            assert len(draft) == len(copy)
            assert (name in draft) == (name in copy)
        versions.append((draft.finish(), copy))
    return versions


@given(histories)
def test_every_version_goes_on_reading_like_the_dict_that_it_was_made_as(
    history: list[tuple[int, Edits]],
) -> None:
    for table, model in live(history):
        assert dict(table.items()) == model == dict(zip(table, table.values(), strict=True))
        assert table == model
        assert len(table) == len(model)
        for name in range(_MOST + 1):
            assert table.get(name) is model.get(name)
            assert (name in table) == (name in model)


@given(histories)
def test_what_changed_between_any_two_versions_is_what_a_look_at_all_of_both_finds(
    history: list[tuple[int, Edits]],
) -> None:
    versions = live(history)
    for old, before in versions:
        for new, after in versions:
            found = changed_keys(old=old, new=new)
            assert len(found) == len(set(found))
            assert set(found) == set(changed_keys(old=before, new=after))
            assert set(changed_keys(old=before, new=new)) == set(found)


@given(histories)
def test_a_draft_that_changes_nothing_is_the_version_it_came_from(history: list[tuple[int, Edits]]) -> None:
    for table, model in live(history):
        assert table.with_all(model) is table


@given(st.lists(st.tuples(names, st.integers(0, 2)), min_size=40, max_size=60))
def test_entries_keep_their_order_and_new_ones_come_last(entries: list[tuple[int, int]]) -> None:
    table: Table[int, object] = Table()
    model: dict[int, object] = {}
    for (name, value), (other, _) in pairwise(entries):
        table = table.with_all({name: VALUES[value], other: VALUES[value]})
        model |= {name: VALUES[value], other: VALUES[value]}
        assert list(table) == list(model)
