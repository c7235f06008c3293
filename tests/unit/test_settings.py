"""Flags and environment as settings: what is taken, what is refused in one line, what is said of the rest."""

from pathlib import Path

import pytest

from openelb_bgp.settings import (
    EXIT_CODES,
    GOBGP_VERSION,
    ClusterSettings,
    Election,
    ExitCode,
    FilesSettings,
    HostPort,
    SettingError,
    cached_gobgpd,
    cluster_settings,
    files_settings,
    host_port,
    node_name,
    remarks,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":50053", HostPort("", 50053)),
        ("127.0.0.1:0", HostPort("127.0.0.1", 0)),
        ("node1.example:65535", HostPort("node1.example", 65535)),
        ("[fd00::1]:50052", HostPort("fd00::1", 50052)),
    ],
)
def test_an_address_to_listen_on_reads_as_go_programs_write_it(text: str, address: HostPort) -> None:
    assert host_port(text, flag="--metrics-addr") == address


def test_an_address_is_printed_as_it_is_written() -> None:
    assert [str(host_port(text, flag="")) for text in (":80", "[::1]:80")] == [":80", "[::1]:80"]


@pytest.mark.parametrize(
    "text", ["", "50053", "host:", "host:x", ":65536", ":-1", ":٣", "fd00::zz:80", "[x:y]:1"]
)
def test_an_address_that_is_none_is_refused_by_flag_and_text(text: str) -> None:
    with pytest.raises(SettingError) as refused:
        host_port(text, flag="--metrics-addr")
    assert str(refused.value).startswith(f"--metrics-addr {text!r}: ")
    assert "\n" not in str(refused.value)


def test_a_node_is_named_by_the_flag_then_by_the_environment_then_by_the_host() -> None:
    there = {"NODE_NAME": "from-environment"}
    assert node_name("from-flag", environment=there, hostname="Host") == "from-flag"
    assert node_name(None, environment=there, hostname="Host") == "from-environment"
    assert node_name(None, environment={}, hostname="Host") == "host"
    with pytest.raises(SettingError, match="--node-name NAME"):
        node_name(None, environment={}, hostname="")


def test_a_source_is_a_folder_with_its_state_and_our_namespace(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert files_settings(files=tmp_path, state=state, environment={}) == FilesSettings(
        files=tmp_path, state=state, namespace="openelb-system"
    )
    there = files_settings(files=tmp_path, state=state, environment={"OPENELB_NAMESPACE": "lb"})
    assert there.namespace == "lb"
    with pytest.raises(SettingError, match="no such folder"):
        files_settings(files=tmp_path / "none", state=None, environment={})


def test_a_cluster_is_named_by_the_flag_then_by_the_environment_then_it_is_that_of_the_pod(
    tmp_path: Path,
) -> None:
    given, named = tmp_path / "given", tmp_path / "named"
    given.touch()
    named.touch()

    def cluster(kubeconfig: Path | None, **environment: str) -> ClusterSettings:
        return cluster_settings(
            kubeconfig=kubeconfig,
            election=Election(),
            request_seconds=10.0,
            environment=environment,
            hostname="pod1",
        )

    pod = {"KUBERNETES_SERVICE_HOST": "192.0.2.1", "OPENELB_NAMESPACE": "lb"}
    assert cluster(given, KUBECONFIG=f"{named}:/else").kubeconfig == given
    assert cluster(None, KUBECONFIG=f"{named}:/else", **pod).kubeconfig == named
    assert cluster(None, **pod) == ClusterSettings(namespace="lb", instance="pod1")
    with pytest.raises(SettingError, match="or --kubeconfig FILE"):
        cluster(None)
    with pytest.raises(SettingError, match="no such file"):
        cluster(tmp_path / "none")


def test_flags_and_variables_of_openelb_without_effect_are_named_and_their_values_are_not() -> None:
    given = {"--secret", "--log-path", "--keepalived-args", "--metrics-addr"}
    variables = {"MEMBER_LIST_SECRET": "hush-hush", "OPENELB_DSNAME": "openelb-speaker", "HOME": "/root"}
    said = remarks(given, with_files=True, environment=variables)
    assert list(said) == [
        *("--keepalived-args", "--log-path", "--secret"),
        *("MEMBER_LIST_SECRET", "OPENELB_DSNAME"),
    ]
    assert all(text.startswith("no effect: ") for text in said.values())
    assert "hush-hush" not in repr(said)


def test_an_open_api_is_warned_about() -> None:
    said = remarks({"--api-hosts"}, with_files=False, environment={})
    assert "owns your routes" in said["--api-hosts"]


def test_an_open_api_is_not_promised_where_the_gobgpd_is_somebody_elses() -> None:
    said = remarks({"--api-hosts"}, with_files=False, environment={}, starts_gobgpd=False)
    assert said["--api-hosts"].startswith("no effect: ") and "container gobgpd" in said["--api-hosts"]


def test_what_only_a_cluster_has_is_without_effect_over_a_folder() -> None:
    given = {"--kubeconfig", "--leader-elect", "--webhook-port", "--webhook-cert-dir"}
    assert remarks(given, with_files=True, environment={}).keys() == given
    assert remarks(given, with_files=False, environment={}) == {}


def test_every_exit_code_is_explained() -> None:
    assert set(EXIT_CODES) == set(ExitCode)


def test_the_fetched_gobgpd_is_where_the_setup_puts_it() -> None:
    found = [
        cached_gobgpd(environment)
        for environment in (
            {"OPENELB_BGP_CACHE": "/c", "HOME": "/home/me"},
            {"XDG_CACHE_HOME": "/x", "HOME": "/home/me"},
            {"HOME": "/home/me"},
        )
    ]
    assert found == [
        Path("/c/gobgp/4.8.0/gobgpd"),
        Path("/x/openelb-bgp/gobgp/4.8.0/gobgpd"),
        Path("/home/me/.cache/openelb-bgp/gobgp/4.8.0/gobgpd"),
    ]


def test_the_setup_fetches_the_version_that_is_looked_for() -> None:
    said = Path("hack/lib/gobgp.sh").read_text()
    assert f"GOBGP_DEFAULT={GOBGP_VERSION} " in said
