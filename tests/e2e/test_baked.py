"""Clones of what was proven once: whole, with an identity of their own, and never from a half."""

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sandbox.probe.untaken import without_hash
from tests.conftest import Host
from tests.e2e.conftest import Shiny
from tests.e2e.test_interrupted import assert_nothing_left, reach_step
from tests.shown_steps import shown_steps

BARE = """\
version: 1
description: a bare machine that is baked
base: debian-12
machine: {cpus: 1, memory_mb: 512, disk_gb: 5}
system: {timezone: Europe/Lisbon, packages: [tree]}
"""

LAYERED = """\
version: 1
description: shiny, and a little more
extends: shiny
system: {packages: [tree]}
r:
  packages: {names: [shiny, rmarkdown, plumber, zoo]}
"""


def bake(host: Host, box: str | Path, *options: str) -> dict[str, Any]:
    said = host.sandbox("bake", box, "--json", *options, timeout_s=1800).stdout
    made: dict[str, Any] = json.loads(said)
    return made


def kept(host: Host) -> dict[str, dict[str, Any]]:
    rows = json.loads(host.sandbox("cache", "list", "--json").stdout)
    return {row["image"]: row for row in rows}


def facts(host: Host, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.sandbox("probe", name).stdout)
    return found


@pytest.fixture
def bare(host: Host, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "oven.yml"
    path.write_text(BARE)
    yield path
    host.reap()
    for name in ("oven", "twin-1", "twin-2"):
        host.sandbox("destroy", name, expect=None)
        assert_nothing_left(host, name)


def test_a_second_shiny_is_a_clone_that_answers_and_is_itself(host: Host, shiny: Shiny) -> None:
    assert shown_steps(shiny.first_up.stderr)["bake"].end == "done"
    try:
        done = host.sandbox("up", "boxes/shiny.yml", "--name", "twin", "--memory-mb", "1024")
        steps = shown_steps(done.stderr)
        assert steps["clone"].end == "done"
        assert "provision" not in steps
        assert "HTTP" not in done.stderr
        everything = json.loads(host.sandbox("check", "twin", "--json", expect=None).stdout)
        bad = [one for one in everything["results"] if one["outcome"] not in ("passed", "skipped")]
        # How fast pages come is the host's matter as well
        assert [one for one in bad if one["goal"] != "snappy"] == []
        one, other = facts(host, "shiny"), facts(host, "twin")
        assert one["identity"]["machine_id"] != other["identity"]["machine_id"]
        keys = [set(found["identity"]["ssh_host_keys"]) for found in (one, other)]
        assert all(keys)
        assert not keys[0] & keys[1]
        assert one["system_packages"] == other["system_packages"]
        (image,) = [row for row in kept(host).values() if "twin" in row["machines"]]
        assert image["box"] == "shiny"
        assert image["image"] not in host.sandbox("cache", "prune", "--dry-run").stdout
        host.sandbox("reset", "twin")
        again = host.sandbox("up", "boxes/shiny.yml", "--name", "twin", "--memory-mb", "1024")
        assert "provision" not in shown_steps(again.stderr)
    finally:
        host.sandbox("destroy", "twin", expect=None)


def test_two_bakes_of_one_box_at_once_make_one_image(host: Host, bare: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(host.sandbox, "up", bare, "--name", name, timeout_s=900)
            for name in ("twin-1", "twin-2")
        ]
        said = [run.result().stderr for run in runs]
    assert sorted("clone" in shown_steps(one) for one in said) == [False, True], said
    images = [row for row in kept(host).values() if row["box"] == "oven"]
    assert len(images) == 1


def test_a_bake_killed_anywhere_is_never_served(host: Host, bare: Path) -> None:
    for step in ("provision", "bake"):
        process = host.start("bake", bare, "--fresh")
        reach_step(process, step, delay_s=0.4)
        process.kill()
        process.wait()
    whole = [row for row in kept(host).values() if row["box"] == "oven" and row["complete"]]
    made = bake(host, bare)
    # Killed a moment too late, it was whole
    assert made["already_there"] == bool(whole)
    host.sandbox("up", bare, "--name", "twin-1")
    assert host.sandbox("exec", "twin-1", "--", "which", "tree").stdout.strip() == "/usr/bin/tree"
    host.sandbox("check", "twin-1")
    assert all(row["complete"] for row in kept(host).values())
    assert not [path.name for path in host.instances.glob("bake-*")]


@pytest.mark.parametrize("step", ["clone", "start", "ssh", "quick checks"])
def test_a_clone_killed_anywhere_ends_well(host: Host, bare: Path, step: str) -> None:
    bake(host, bare)
    for delay_s in (0.0, 0.5):
        process = host.start("up", bare, "--name", "twin-1")
        reach_step(process, step, delay_s=delay_s)
        process.kill()
        process.wait()
        host.sandbox("up", bare, "--name", "twin-1", timeout_s=600)
        host.sandbox("check", "twin-1")
        host.sandbox("destroy", "twin-1")
        assert_nothing_left(host, "twin-1")


def test_an_image_removed_under_a_machine_changes_nothing_for_it(host: Host, bare: Path) -> None:
    image = bake(host, bare)["image"]
    host.sandbox("up", bare, "--name", "twin-1")
    host.incus("delete", image)
    host.sandbox("stop", "twin-1")
    host.sandbox("start", "twin-1")
    host.sandbox("check", "twin-1")
    again = host.sandbox("up", bare, "--name", "twin-2", timeout_s=900)
    assert shown_steps(again.stderr)["provision"].end == "done"


# Which machine it is, how it is just now, and by which session it was seen
MOMENTARY = {
    *("probe", "identity", "authorized_keys", "disk_free_mb", "tmp_mount_options", "pid"),
    "tempdir",
    *("main_pid", "active", "sub", "R_SESSION_TMPDIR", "XDG_SESSION_ID", "SSH_CONNECTION"),
    *("SSH_CLIENT", "session", "memory_mb"),
    # Each reading has a key of its own; `sandbox diff` below reads both with one
    "hash_key",
}


def _is_of_r(found: Any) -> bool:
    return isinstance(found, dict) and found.get("process") == "R"


def lasting(found: Any) -> Any:
    """The facts of what a machine is made of."""
    if isinstance(found, list):
        # An app's R listens where the kernel lets it
        return [lasting(one) for one in found if not _is_of_r(one)]
    if not isinstance(found, dict):
        return without_hash(found) if isinstance(found, str) else found
    kept = {key: lasting(value) for key, value in found.items() if key not in MOMENTARY}
    if "services" in kept:
        # Units that nobody enabled come and go in systemd's memory
        kept["services"] = [one for one in kept["services"] if one["enabled"] == "enabled"]
    return kept


def test_a_layer_comes_to_the_same_as_the_long_road(
    host: Host, shiny: Shiny, tmp_path: Path
) -> None:
    assert shiny.name
    bake(host, "boxes/shiny.yml")
    path = tmp_path / "more.yml"
    path.write_text(LAYERED)
    try:
        layered = host.sandbox("up", path, "--name", "layered", timeout_s=900)
        assert "as a layer on shiny" in shown_steps(layered.stderr)["create"].note
        plain = host.sandbox("up", path, "--name", "plain", "--no-cache", timeout_s=1800)
        assert "layer" not in shown_steps(plain.stderr)["create"].note
        for done in (layered, plain):
            # Of an app that nobody has open, R's view is asked for in another way
            urllib.request.urlopen(done.stdout.split()[-1], timeout=60).read()
        one, other = (lasting(facts(host, name)) for name in ("layered", "plain"))
        assert one == other
        hidden = host.sandbox("diff", "layered", "plain", "--json", "--only", "r.environment")
        assert json.loads(hidden.stdout)["counts"]["not comparable"] == 0
        script = "dpkg-query -W -f '${Package} ${Version} ${Status}\\n'; apt-mark showmanual"
        packages = [
            host.sandbox("exec", name, "--", "sh", "-c", script).stdout
            for name in ("layered", "plain")
        ]
        assert packages[0] == packages[1]
    finally:
        host.sandbox("destroy", "layered", "plain", expect=None)
