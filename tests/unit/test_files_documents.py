"""Text → documents with lines, as Kubernetes reads YAML; and where and why a text does not parse."""

import json
from typing import Any

import pytest

from openelb_bgp.files.documents import Document, Flaw, documents


def read(text: str) -> list[Document | Flaw]:
    return list(documents(text.encode(), is_json=False))


def value(text: str) -> Any:
    [document] = read(f"value: {text}\n")
    assert isinstance(document, Document)
    return document.value["value"]


def flaw(text: str) -> Flaw:
    [found] = [part for part in read(text) if isinstance(part, Flaw)]
    return found


def test_documents_have_the_line_in_which_they_begin() -> None:
    text = "# a comment\n\nkind: A\n---\n# another\nkind: B\n...\n---\n---\nkind: C\n"
    assert read(text) == [
        Document({"kind": "A"}, 3),
        Document({"kind": "B"}, 6),
        Document({"kind": "C"}, 10),
    ]


def test_the_items_of_a_list_are_documents_with_lines_of_their_own() -> None:
    text = "kind: List\nitems:\n  - kind: A\n    x: 1\n  - {kind: B}\n"
    assert read(text) == [Document({"kind": "A", "x": 1}, 3), Document({"kind": "B"}, 5)]


def test_the_items_of_a_typed_list_inherit_its_kind() -> None:
    text = "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: web}\n"
    assert read(text) == [Document({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}, 4)]


def test_json_is_read_with_its_lists_too() -> None:
    data = json.dumps({"kind": "List", "items": [{"kind": "A"}, {"kind": "B"}]}).encode()
    assert list(documents(data, is_json=True)) == [Document({"kind": "A"}, 1), Document({"kind": "B"}, 1)]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert list(documents(b"\xef\xbb\xbfkind: A\r\nx: z\r\n", is_json=False)) == [
        Document({"kind": "A", "x": "z"}, 1)
    ]


def test_empty_texts_and_documents_are_nothing() -> None:
    assert read("") == read("---\n---\n# only a comment\n") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A community and a large one, a MAC, a time, a date: texts, where YAML 1.1 sees base 60 and dates.
        ("65000:10", "65000:10"),
        ("65000:1:2", "65000:1:2"),
        ("00:11:22:33:44:55", "00:11:22:33:44:55"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("fe80::1", "fe80::1"),
        ("2001", 2001),
        ("-5", -5),
        ("0", 0),
        ("010", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b101", -5),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("9" * 5000, float("inf")),
        ("yes", True),
        ("off", False),
        ("", None),
        ("~", None),
        ("'yes'", "yes"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("!!int 1", 1),
        ("-", "-"),
        ("+x", "+x"),
        ("09", 9.0),
    ],
)
def test_scalars_mean_what_kubernetes_makes_of_them(text: str, expected: object) -> None:
    found = value(f"[{text}]")[0] if text == "-" else value(text)
    assert (found, type(found)) == (expected, type(expected))


def test_not_a_number_is_one() -> None:
    found = value(".nan")
    assert found != found


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert read("{1: a, yes: b, null: c}") == [Document({"1": "a", "yes": "b", "null": "c"}, 1)]


def test_anchors_aliases_and_merge_keys_work() -> None:
    text = "base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}\nboth: {<<: [*b, {z: 4}]}\nsame: *b\n"
    assert read(text) == [
        Document(
            {
                "base": {"x": 1, "y": 2},
                "own": {"x": 1, "y": 3},
                "both": {"x": 1, "y": 2, "z": 4},
                "same": {"x": 1, "y": 2},
            },
            1,
        )
    ]


def test_a_syntax_error_names_line_and_column_and_the_other_documents_are_read() -> None:
    text = "kind: A\n---\nkind: B\n  bad: [\n---\nkind: C\n"
    first, error, last = read(text)
    assert (first, last) == (Document({"kind": "A"}, 1), Document({"kind": "C"}, 6))
    assert isinstance(error, Flaw)
    assert (error.line, error.column, error.broken) == (4, 6, True)
    assert "mapping values are not allowed" in error.problem


def test_every_part_that_does_not_parse_is_named_with_its_own_line() -> None:
    parts = read("kind: [\n---\nkind: A\n---\n\nkind: {\n---\nkind: B\n")
    places = [part.line for part in parts]
    assert [type(part) for part in parts] == [Flaw, Document, Flaw, Document]
    assert places == [2, 3, 7, 8]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key a stands here twice"),
        ("a: !!python/object:os.system x\n", 1, "means nothing to Kubernetes"),
        ("a: !mine {}\n", 1, "means nothing to Kubernetes"),
        ("a: 'open\nb: 1\n", 3, "unexpected end of stream"),
        ("a: \x07\n", 1, "a character that YAML forbids"),
        ("a:\n\t- b\n", 2, "cannot start any token"),
        ("a: *nowhere\n", 1, "*nowhere"),
        ("a: &x [*x]\n", 1, "no complete anchor"),
        ("a: {<<: 5}\n", 1, "merge key"),
        ("? [a]\n: b\n", 1, "a key must be a text"),
        ("[" * 200, 1, "nested deeper"),
    ],
)
def test_what_kubernetes_would_not_read_is_named_with_its_line(text: str, line: int, said: str) -> None:
    found = flaw(text)
    assert said in found.problem
    assert (found.line, found.broken) == (line, True)


def test_aliases_that_blow_up_are_refused() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "too large" in flaw("\n".join(["a0: &a0 [x]", *levels])).problem


def test_text_that_is_not_utf_8_is_named_with_its_line() -> None:
    assert list(documents(b"a: 1\nb: \xff\n", is_json=False)) == [Flaw(2, 0, "byte 8 is not UTF-8")]


@pytest.mark.parametrize("text", ['{"kind": "List", "items": [%s]}', '{"items": [%s], "kind": "AList"}'])
def test_an_item_of_a_json_list_without_a_bottom_is_an_error_and_no_crash(text: str) -> None:
    for depth in (900, 950, 980, 990, 1_000, 200_000):
        found = list(documents((text % ("[" * depth + "]" * depth)).encode(), is_json=True))
        assert [type(one) for one in found] == [Flaw]


def test_a_list_of_one_kind_in_json_implies_kind_and_version() -> None:
    data = (
        b'{"items": [{"a": 1e2}, {"b": "\\u00e9"}, 3], "kind": "PodList", "apiVersion": "v1", "metadata": {}}'
    )
    assert list(documents(data, is_json=True)) == [
        Document({"apiVersion": "v1", "kind": "Pod", "a": 100.0}, 1),
        Document({"apiVersion": "v1", "kind": "Pod", "b": "é"}, 1),
        Flaw(1, 0, "items[2] is not a Kubernetes object, which is a mapping", broken=False),
    ]


@pytest.mark.parametrize("item", ['{"a": }', '"', "{", '{"a": "\n"}'])
def test_a_json_list_that_does_not_parse_is_one_flaw(item: str) -> None:
    [found] = documents(f'{{"kind": "List", "items": [{{}}, {item}]}}'.encode(), is_json=True)
    assert isinstance(found, Flaw)


def test_json_that_does_not_parse_names_line_and_column() -> None:
    [found] = documents(b'{"a": 1,\n "b": }', is_json=True)
    assert found == Flaw(2, 7, "Expecting value")


def test_json_without_a_bottom_is_an_error_and_no_crash() -> None:
    [found] = documents(b"[" * 200_000, is_json=True)
    assert isinstance(found, Flaw)


@pytest.mark.parametrize("text", ["just text\n", "- a\n- b\n", "5\n"])
def test_a_document_that_is_no_object_is_named_but_does_not_break_the_text(text: str) -> None:
    kind_a = Document({"kind": "A"}, 1)
    first, second = read("kind: A\n---\n" + text)
    assert first == kind_a
    assert second == Flaw(3, 0, "is not a Kubernetes object, which is a mapping", broken=False)


def test_an_item_that_is_no_object_does_not_shift_the_lines_of_the_others() -> None:
    assert read("kind: List\nitems:\n- 5\n- {kind: A}\n") == [
        Flaw(3, 0, "items[0] is not a Kubernetes object, which is a mapping", broken=False),
        Document({"kind": "A"}, 4),
    ]
