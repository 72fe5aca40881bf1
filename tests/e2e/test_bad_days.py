"""What goes wrong on a bad day: a clear message, the right exit code, and a clean way on."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT, Host
from tests.e2e.test_interrupted import BOX, assert_nothing_left


@pytest.fixture
def box(host: Host, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "bare.yml"
    path.write_text(BOX)
    yield path
    host.sandbox("destroy", "bare", expect=None)
    assert_nothing_left(host, "bare")


def edited(box: Path, old: str, new: str) -> Path:
    box.write_text(BOX.replace(old, new), encoding="utf-8")
    return box


def test_packages_that_debian_lacks_are_all_named_before_anything_is_made(
    host: Host, box: Path
) -> None:
    edited(box, "[tree]", "[tree, pandoq, libcurl4-opensll-dev]")
    done = host.sandbox("up", box, expect=3)
    for word in ("pandoq", "pandoc", "libcurl4-opensll-dev", "libcurl4-openssl-dev"):
        assert word in done.stderr
    assert_nothing_left(host, "bare")


def test_an_r_version_that_the_base_lacks_is_an_error_before_anything_starts(
    host: Host, tmp_path: Path
) -> None:
    path = tmp_path / "r.yml"
    path.write_text('version: 1\nbase: debian-12\nr: {version: "4.5"}\n')
    done = host.sandbox("up", path, expect=3)
    assert f"{path}:3" in done.stderr or "r.yml:3" in done.stderr
    assert "debian-13" in done.stderr
    assert_nothing_left(host, "r")


def test_more_memory_than_the_host_has(host: Host, box: Path) -> None:
    edited(box, "memory_mb: 512", "memory_mb: 3000000")
    done = host.sandbox("up", box, expect=4)
    assert "memory" in done.stderr
    assert_nothing_left(host, "bare")


def test_incus_that_does_not_run(host: Host, box: Path, tmp_path: Path) -> None:
    nowhere = {"INCUS_DIR": str(tmp_path / "nowhere")}
    done = host.sandbox("up", box, expect=4, env=nowhere)
    assert "sandbox host setup" in done.stderr
    host.sandbox("up", box, "--no-checks", timeout_s=600)
    listed = host.sandbox("list", "--json", env=nowhere)
    # Sandboxes are not lost: nobody can be asked how they are
    assert {one["state"] for one in json.loads(listed.stdout)} == {"unknown"}
    assert "sandbox host setup" in listed.stderr


def test_a_mirror_that_cannot_be_reached(host: Host, box: Path) -> None:
    # From a machine that is there: without one, a base image would be built first, by another road
    host.sandbox("up", box, "--no-checks", timeout_s=600)
    edited(
        box,
        "timezone: Europe/Vienna",
        "timezone: Europe/Vienna, mirror: {debian: 'http://127.0.0.1:9/debian'}",
    )
    done = host.sandbox("up", box, expect=6)
    assert "127.0.0.1:9" in done.stderr
    # The box is mended, and the same sandbox goes on from where it stood
    box.write_text(BOX, encoding="utf-8")
    host.sandbox("up", box, timeout_s=600)


def test_a_machine_deleted_behind_our_back_is_made_again(host: Host, box: Path) -> None:
    host.sandbox("up", box, timeout_s=600)
    host.incus("delete", "-f", "bare")
    (row,) = [row for row in json.loads(host.sandbox("list", "--json").stdout)
              if row["name"] == "bare"]  # fmt: skip
    assert row["state"] == "gone"
    again = host.sandbox("up", box, timeout_s=600)
    assert "gone" in again.stderr
    host.incus("delete", "-f", "bare")
    host.sandbox("destroy", "bare")


def test_a_state_folder_removed_behind_our_back(host: Host, box: Path) -> None:
    host.sandbox("up", box, "--no-checks", timeout_s=600)
    shutil.rmtree(host.instances / "bare")
    done = host.sandbox("up", box, expect=5)
    assert "sandbox destroy bare" in done.stderr
    host.sandbox("destroy", "bare")


def test_a_machine_of_somebody_else_is_never_touched(host: Host, box: Path) -> None:
    host.incus("init", "--empty", "bare")
    try:
        done = host.sandbox("up", box, expect=5)
        assert "bare" in done.stderr
        host.sandbox("destroy", "bare", expect=None)
        names = [machine["name"] for machine in json.loads(host.incus("list", "--format=json"))]
        assert "bare" in names
    finally:
        host.incus("delete", "-f", "bare")
        shutil.rmtree(host.instances / "bare", ignore_errors=True)


def test_two_ups_of_one_name_at_once(host: Host, box: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(host.sandbox, "up", box, expect=None) for _ in range(2)]
        codes = sorted(run.result().returncode for run in runs)
        said = "".join(run.result().stderr for run in runs)
    assert codes == [0, 4], said
    assert "at work on bare" in said


def test_ten_ups_of_ten_names_at_once(host: Host, box: Path) -> None:
    names = [f"seat-{number:02}" for number in range(1, 11)]
    try:
        with ThreadPoolExecutor(10) as pool:
            runs = [
                pool.submit(host.sandbox, "up", box, "--name", name, timeout_s=1500)
                for name in names
            ]
            for run in runs:
                run.result()
        rows = json.loads(host.sandbox("list", "--json").stdout)
        ours = {row["name"]: row for row in rows if row["name"] in names}
        assert {row["state"] for row in ours.values()} == {"running"}
        assert len({row["address"] for row in ours.values()}) == 10
    finally:
        host.sandbox("destroy", *names, expect=None)
    for name in names:
        assert_nothing_left(host, name)


def test_no_space_left_for_our_own_files(host: Host, box: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=True, timeout=20
    )
    try:
        (small / "filler").write_bytes(b"x" * 60_000)
        done = host.sandbox("up", box, expect=4, env={"XDG_STATE_HOME": str(small)})
        assert "No space left" in done.stderr
    finally:
        subprocess.run(["umount", str(small)], check=True, timeout=20)
    assert_nothing_left(host, "bare")


def test_a_hostile_box_runs_nothing_on_the_host(host: Host, tmp_path: Path) -> None:
    mark = tmp_path / "pwned"
    shells = [
        f"$(touch {mark})",
        f"`touch {mark}`",
        f"'; touch {mark}; '",
        f'"; touch {mark}; "',
        f"{{{{ lookup('pipe', 'touch {mark}') }}}}",
        f"{{% for x in [1] %}}{{{{ lookup('pipe', 'touch {mark}') }}}}{{% endfor %}}",
        f"#{{`touch {mark}`}}",
        f"!unsafe touch {mark}",
        "\\n\\t\\\\ %s %d ${HOME} $HOME ~ * ?",
        "quotes ' \" ` and äöü €",
    ]
    environment = {f"HOSTILE_{number}": text for number, text in enumerate(shells)}
    (tmp_path / "hostile.yml").write_text(
        json.dumps(
            {
                "version": 1,
                "description": shells[0],
                "base": "debian-12",
                "machine": {"cpus": 1, "memory_mb": 512, "disk_gb": 5},
                "system": {"environment": environment},
            }
        )
    )
    try:
        host.sandbox("up", "hostile.yml", "--no-checks", cwd=tmp_path, timeout_s=600)
        seen = host.sandbox("exec", "hostile", "--", "bash", "-lc", "env -0").stdout
        inside = dict(entry.split("=", 1) for entry in seen.split("\0") if "=" in entry)
        for name, text in environment.items():
            assert inside.get(name) == text, name
        found = host.sandbox("exec", "hostile", "--", "test", "-e", str(mark), expect=1)
        assert found.returncode == 1
    finally:
        host.sandbox("destroy", "hostile", expect=None)
    assert not mark.exists()


def test_the_shipped_boxes_are_valid(host: Host) -> None:
    boxes = sorted((ROOT / "boxes").glob("*.yml"))
    assert len(boxes) >= 4
    host.sandbox("validate", *boxes)
