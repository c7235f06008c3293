"""`validate`: each defect with its file and line, and an exit code that scripts can use."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from openelb_bgp.cli.validate import command, run

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"

EIP = """\
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {{name: {name}}}
spec: {{address: {address}}}
"""


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def _eip(name: str, address: str) -> str:
    return EIP.format(name=name, address=address)


@pytest.mark.parametrize("folder", ["openelb", "openelb-bgp"])
def test_the_samples_hold_no_error(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(SAMPLES / folder) == 0
    assert " 0 errors" in capsys.readouterr().out.splitlines()[-1]


def test_a_defect_is_printed_with_the_line_where_its_object_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, pools=f"{_eip('good', '192.0.2.1')}---\n{_eip('bad', '10.0.0.0/99')}")
    assert run(tmp_path) == 1
    assert capsys.readouterr().out.splitlines() == [
        "pools.yaml:6: Eip bad: spec.address '10.0.0.0/99': has prefix length 99, above 32; "
        "write an IP, IP/length, IP1-IP2, or a comma list of these",
        "2 objects: 1 error, 0 warnings",
    ]


def test_warnings_alone_are_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path, pool=_eip("pool", "192.0.2.1, priorty: 3"))
    assert run(tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pool.yaml:1: warning: Eip pool: spec.priorty: is not a field of this kind; did you mean priority?",
        "1 object: 0 errors, 1 warning",
    ]


def test_what_takes_several_objects_to_see_is_checked_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, a=_eip("a", "192.0.2.0/24"), b=_eip("b", "192.0.2.7"))
    assert run(tmp_path) == 1
    assert capsys.readouterr().out.startswith("b.yaml:1: Eip b: spec.address '192.0.2.7': Eip b (192.0.2.7) ")


def test_a_policy_is_read_and_its_defects_stand_at_its_config_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(
        tmp_path,
        conf="""\
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpConf
metadata: {name: default}
spec: {as: 65000, policy: policy}
""",
        policy="""\
apiVersion: v1
kind: ConfigMap
metadata: {name: policy, namespace: openelb-system}
data:
  gobgp.conf: |
    [global.apply-policy.config]
    export-policy-list = ["missing"]
""",
    )
    assert run(tmp_path) == 1
    assert capsys.readouterr().out.splitlines()[0] == (
        "policy.yaml:1: ConfigMap openelb-system/policy: global.apply-policy.config.export-policy-list[0] "
        "'missing': is no policy of this text; define it under policy-definitions"
    )


def test_a_file_that_does_not_parse_and_a_duplicate_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, a=_eip("pool", "192.0.2.1"), b=_eip("pool", "192.0.2.2"), c="kind: [")
    assert run(tmp_path) == 1
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first == "b.yaml:1: Eip pool stands here and in a.yaml:1, which counts; take one of them out"
    assert second.startswith("c.yaml:")


def test_what_a_service_asks_for_in_vain_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = """\
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations:
    lb.kubesphere.io/v1alpha1: openelb
    eip.openelb.kubesphere.io/v1alpha1: pool
    eip.openelb.kubesphere.io/v1alpha2: pool,gone
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
    _write(tmp_path, a=_eip("pool", "192.0.2.1"), b=service)
    assert run(tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [
        "b.yaml:1: warning: Service default/web: metadata.annotations: 'pool' in "
        "eip.openelb.kubesphere.io/v1alpha1 is not an IP address; write one such as 192.0.2.1, or name an "
        "Eip in the annotation eip.openelb.kubesphere.io/v1alpha2",
        "b.yaml:1: warning: Service default/web: metadata.annotations[eip.openelb.kubesphere.io/v1alpha2] "
        "'gone': is no Eip of these manifests; write the name of one, or create it",
        "2 objects: 0 errors, 2 warnings",
    ]


@pytest.mark.parametrize(("version", "is_safe"), [("3.10.0", False), ("4.4.0", False), ("4.5.0", True)])
def test_a_gobgpd_that_peers_can_crash_is_a_warning(tmp_path: Path, version: str, is_safe: bool) -> None:
    program = tmp_path / "gobgpd"
    program.write_text(f"#!/bin/sh\necho gobgpd version {version}\n")
    program.chmod(0o755)
    folder = str(_write(tmp_path, a=_eip("pool", "192.0.2.1")))
    found = CliRunner().invoke(command, [folder, "--gobgpd", str(program)])
    warned = f"{program}: warning: gobgpd {version} can be crashed from outside (CVE-2025-43972"
    assert (found.exit_code, found.output.startswith(warned)) == (0, not is_safe)
    assert found.output.endswith(
        f"1 object: 0 errors, {0 if is_safe else 1} warning{'s' if is_safe else ''}\n"
    )
    missing = CliRunner().invoke(command, [folder, "--gobgpd", str(tmp_path / "none")])
    assert (missing.exit_code, "install GoBGP" in missing.output) == (2, True)


def test_the_command_takes_a_folder(tmp_path: Path) -> None:
    assert CliRunner().invoke(command, [str(tmp_path / "missing")]).exit_code == 2
    found = CliRunner().invoke(command, [str(_write(tmp_path, a=_eip("pool", "192.0.2.1")))])
    assert found.output == "1 object: 0 errors, 0 warnings\n"
