"""What changed between two mappings that share the objects which did not."""

from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.lib.identity import changed_keys, same_objects

ONE, OTHER, THIRD = object(), object(), object()


def test_a_mapping_differs_from_itself_in_nothing() -> None:
    mapping = {"a": ONE}
    assert changed_keys(old=mapping, new=mapping) == []


def test_changed_and_added_keys_come_in_the_order_of_the_new_mapping_and_gone_ones_last() -> None:
    old = {"gone": ONE, "changed": ONE, "same": ONE}
    new = {"same": ONE, "added": ONE, "changed": OTHER}
    assert changed_keys(old=old, new=new) == ["added", "changed", "gone"]


def test_an_equal_object_that_is_another_one_counts_as_changed() -> None:
    assert changed_keys(old={"a": [1]}, new={"a": [1]}) == ["a"]
    assert not same_objects(([1],), ([1],))


def test_the_same_objects_in_another_number_or_order_are_not_the_same() -> None:
    assert same_objects((ONE, OTHER), (ONE, OTHER))
    assert not same_objects((ONE, OTHER), (OTHER, ONE))
    assert not same_objects((ONE,), (ONE, OTHER))


mappings = st.dictionaries(st.integers(0, 5), st.sampled_from((ONE, OTHER, THIRD)))


@given(old=mappings, new=mappings)
def test_exactly_the_keys_that_hold_another_object_or_none_are_named(
    old: dict[int, object], new: dict[int, object]
) -> None:
    found = changed_keys(old=old, new=new)
    assert set(found) == {key for key in old.keys() | new.keys() if old.get(key) is not new.get(key)}
    assert len(found) == len(set(found))
