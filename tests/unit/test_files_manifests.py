"""What files say together: duplicates, files that stop parsing, objects that stop being valid."""

from openelb_bgp.files.documents import documents
from openelb_bgp.files.manifests import Content, FileProblem, Location, Manifests, content
from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.pools import Eip

POOL = ref(Kind.EIP, "pool")


def eip(name: str = "pool", address: str = "192.0.2.0/24") -> str:
    return (
        "apiVersion: network.kubesphere.io/v1alpha2\n"
        f"kind: Eip\nmetadata: {{name: {name}}}\nspec: {{address: {address}}}\n"
    )


def read(text: str, file: str = "a.yaml") -> Content:
    return content(file, documents(text.encode(), is_json=False))


def size(manifests: Manifests, wanted: ObjectRef = POOL) -> int | None:
    entry = manifests.find(wanted)
    return entry.resource.size if entry is not None and isinstance(entry.resource, Eip) else None


def test_objects_are_found_with_their_place() -> None:
    manifests = Manifests()
    assert manifests.put("a.yaml", read(eip() + "---\n" + eip("other"))) == {POOL, ref(Kind.EIP, "other")}
    assert manifests.locations == {POOL: Location("a.yaml", 1), ref(Kind.EIP, "other"): Location("a.yaml", 6)}
    assert manifests.problems == ()


def test_an_object_that_only_moved_within_its_file_reads_the_same() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip()))
    before = manifests.find(POOL)
    assert manifests.put("a.yaml", read("# new\n" + eip())) == set()
    after = manifests.find(POOL)
    assert before is not None
    assert after is not None
    assert after.resource is before.resource
    assert manifests.location(POOL) == Location("a.yaml", 2)


def test_a_file_that_stops_parsing_keeps_its_last_good_objects_and_is_reported_with_line_and_column() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip()))
    assert manifests.put("a.yaml", read(eip("other") + "---\nkind: [\n")) == set()
    assert size(manifests) == 256
    assert manifests.find(ref(Kind.EIP, "other")) is None
    [problem] = manifests.problems
    assert str(problem).startswith("a.yaml:7:1: does not parse: ")
    assert "stay as they were" in problem.remedy


def test_a_file_that_is_whole_again_counts_and_is_reported_no_longer() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip()))
    manifests.put("a.yaml", read("kind: ["))
    assert manifests.put("a.yaml", read(eip(address="192.0.2.0/25"))) == {POOL}
    assert size(manifests) == 128
    assert manifests.problems == ()


def test_of_a_file_that_never_parsed_the_documents_that_do_are_used_and_the_rest_is_doubtful() -> None:
    manifests = Manifests()
    assert manifests.put("a.yaml", read("kind: [\n---\n" + eip())) == {POOL}
    assert manifests.is_doubtful
    manifests.put("a.yaml", read(eip("other") + "---\n" + eip()))
    assert not manifests.is_doubtful


def test_a_folder_without_any_object_is_doubtful() -> None:
    manifests = Manifests()
    assert manifests.is_doubtful
    manifests.put("a.yaml", read(eip()))
    assert not manifests.is_doubtful


def test_an_object_that_becomes_invalid_keeps_its_last_good_version() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip()))
    assert manifests.put("a.yaml", read(eip(address="192.0.2.0/99"))) == {POOL}
    entry = manifests.find(POOL)
    assert entry is not None
    assert entry.invalid is not None
    assert [defect.path for defect in entry.invalid.defects] == ["spec.address"]
    assert size(manifests) == 256
    assert not manifests.is_doubtful


def test_of_two_files_with_one_object_the_first_by_path_counts_and_both_are_named() -> None:
    manifests = Manifests()
    manifests.put("b.yaml", read("# b\n" + eip(address="192.0.2.0/25")))
    assert manifests.put("a.yaml", read(eip())) == {POOL}
    assert size(manifests) == 256
    problem = "Eip pool stands here and in a.yaml:1, which counts"
    expected = FileProblem(Location("b.yaml", 2), 0, problem, "take one of them out")
    assert manifests.problems == (expected,)
    assert str(expected) == f"b.yaml:2: {problem}; take one of them out"


def test_when_the_first_of_two_goes_the_other_counts() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip()))
    manifests.put("b.yaml", read(eip(address="192.0.2.0/25")))
    assert manifests.drop("a.yaml") == {POOL}
    assert (size(manifests), manifests.problems) == (128, ())
    assert manifests.drop("b.yaml") == {POOL}
    assert manifests.find(POOL) is None


def test_a_duplicate_in_one_file_names_both_lines() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip() + "---\n" + eip(address="192.0.2.0/25")))
    assert size(manifests) == 256
    assert [str(one.location) for one in manifests.problems] == ["a.yaml:6"]
    assert "in a.yaml:1, which counts" in manifests.problems[0].problem


def test_a_file_that_is_being_renamed_is_no_duplicate_of_its_new_name() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip()))
    manifests.miss("a.yaml")
    assert size(manifests) == 256
    manifests.put("b.yaml", read(eip(address="192.0.2.0/25")))
    assert (size(manifests), manifests.problems) == (128, ())


def test_a_file_that_returns_counts_before_the_later_one_again() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip()))
    manifests.put("b.yaml", read(eip(address="192.0.2.0/25")))
    assert manifests.miss("a.yaml") == {POOL}
    assert size(manifests) == 128
    assert manifests.put("a.yaml", read(eip())) == {POOL}
    assert size(manifests) == 256


def test_an_unreadable_file_keeps_its_objects_and_says_why() -> None:
    manifests = Manifests()
    manifests.put("a.yaml", read(eip()))
    problem = FileProblem(Location("a.yaml"), 0, "cannot be read", "make it readable")
    manifests.fail("a.yaml", problem)
    assert (size(manifests), manifests.problems) == (256, (problem,))
    assert not manifests.is_doubtful
    manifests.fail("b.yaml", FileProblem(Location("b.yaml"), 0, "cannot be read", "make it readable"))
    assert manifests.is_doubtful


def test_kinds_that_are_not_ours_and_exported_speakers_are_passed_over() -> None:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n---\n"
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\n---\n"
        "apiVersion: network.kubesphere.io/v1alpha2\nkind: Speaker\nmetadata: {name: node1}\n"
    )
    assert read(text) == Content()


def test_the_resource_version_of_another_cluster_is_not_taken_over() -> None:
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, resourceVersion: '12345'}\n"
    [entry] = read(text).entries
    assert entry.resource is not None
    assert entry.resource.meta.resource_version == ""
