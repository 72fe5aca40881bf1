"""R's packages through the real fetcher, from the tests' mirror of a package manager."""

import json
import platform
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import BoxError
from sandbox.events import ignore
from sandbox.fetch.errors import WrongSumError
from sandbox.fetch.fetcher import Fetcher
from sandbox.fetch.routes import Routes
from sandbox.fetch.store import Store
from sandbox.materials.packages.obtain import obtain
from sandbox.materials.packages.other_bytes import describe_other_bytes
from sandbox.materials.packages.repositories import headers_for
from sandbox.obtained import Materials, Obtained
from sandbox.plan import Plan, RInput
from sandbox.spec.r import R, RPackages
from tests.mirror.server import Mirror
from tests.unit.factories import plain_plan

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the tests' mirror has binaries for x86_64"
)
DAY = "2023-06-09"


def plan_of(packages: RPackages, path: Path | None = None) -> Plan:
    inputs = (
        (RInput(sha256="", r="4.2.2", path=path, place="box.yml:3"),) if path is not None else ()
    )
    return plain_plan().model_copy(update={"r": R(packages=packages), "r_inputs": inputs})


def names(mirror: Mirror, *wanted: str, **more: Any) -> Plan:
    said = {"source": "repository", "repository": f"{mirror.url}/cran", "date": DAY, **more}
    return plan_of(RPackages(names=wanted, **said))


def get(made: Plan, folder: Path) -> dict[str, Obtained]:
    found: Materials = obtain(made, Fetcher(Routes(), Store(folder), ignore), lambda _: None)
    return {one.name: one for one in found.files}


def test_binaries_with_all_that_they_need_and_no_second_download(
    mirror: Mirror, tmp_path: Path
) -> None:
    first = get(names(mirror, "cli", "MASS"), tmp_path)
    assert {"cli", "MASS"} <= set(first)
    assert all(one.is_binary for one in first.values())
    assert "/bin/linux/bookworm-x86_64/4.2/" in first["cli"].url
    asked = len(mirror.log)
    assert get(names(mirror, "cli", "MASS"), tmp_path) == first
    again = [one.path for one in mirror.log[asked:]]
    assert not [one for one in again if ".tar.gz" in one]


def test_an_older_manager_gives_binaries_too(mirror: Mirror, tmp_path: Path) -> None:
    mirror.settings.has_form_3 = False
    found = get(names(mirror, "cli"), tmp_path)
    assert found["cli"].is_binary
    assert "/__linux__/bookworm/" in found["cli"].url


def test_source_is_compiled_where_the_binary_is_gone(mirror: Mirror, tmp_path: Path) -> None:
    mirror.settings.only_source.add("cli")
    assert not get(names(mirror, "cli"), tmp_path)["cli"].is_binary


def test_a_library_for_another_processor_is_never_taken(mirror: Mirror, tmp_path: Path) -> None:
    mirror.settings.other_processor.add("cli")
    found = get(names(mirror, "cli"), tmp_path)["cli"]
    assert (found.is_binary, "/bin/" in found.url) == (False, False)


def test_another_day_has_other_versions(mirror: Mirror, tmp_path: Path) -> None:
    before = get(names(mirror, "glue"), tmp_path)["glue"].version
    after = get(names(mirror, "glue", date="2023-06-12"), tmp_path)["glue"].version
    assert before != after


def test_a_plain_mirror_has_source(mirror: Mirror, tmp_path: Path) -> None:
    made = names(mirror, "glue", repository=f"{mirror.url}/plain", date=None)
    assert not get(made, tmp_path)["glue"].is_binary


def lock(mirror: Mirror, folder: Path, day: str, **versions: str) -> Plan:
    path = folder / "renv.lock"
    said = {
        "R": {
            "Version": "4.2.2",
            "Repositories": [{"Name": "CRAN", "URL": f"{mirror.url}/cran/{day}"}],
        },
        "Packages": {
            name: {"Package": name, "Version": version, "Source": "Repository"}
            for name, version in versions.items()
        },
    }
    path.write_text(json.dumps(said, indent=2), "utf-8")
    return plan_of(RPackages(source="renv", lock="renv.lock"), path)


def test_a_lock_keeps_its_versions_when_the_repository_has_newer_ones(
    mirror: Mirror, tmp_path: Path
) -> None:
    old = get(names(mirror, "glue", binary=False), tmp_path)["glue"]
    made = lock(mirror, tmp_path, "2023-06-12", glue=old.version)
    found = get(made, tmp_path)["glue"]
    assert found.version == old.version
    assert "/Archive/glue/" in found.url


def test_a_version_that_is_nowhere_is_refused_with_its_line(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(BoxError) as caught:
        get(lock(mirror, tmp_path, DAY, glue="99.1"), tmp_path)
    assert "renv.lock:12: glue 99.1: it is not there any more" in caught.value.details


@pytest.mark.parametrize(
    ("knob", "expected"),
    [
        ("only_source", "the server has it as source there, and it was locked compiled"),
        ("built_again", "the server has another build of the same version there (Built: R 4.2"),
        (
            "other_processor",
            "the server has another build there: its libraries are for aarch64, and this machine "
            "is x86_64",
        ),
    ],
)
def test_bytes_in_place_of_locked_ones_are_named(
    mirror: Mirror, tmp_path: Path, knob: str, expected: str
) -> None:
    # The form of URL at which source comes where there is no binary
    mirror.settings.has_form_3 = False
    made = names(mirror, "cli")
    locked = get(made, tmp_path)["cli"]
    getattr(mirror.settings, knob).add("cli")
    fetcher = Fetcher(Routes(), Store(tmp_path / "other"), ignore)
    headers = headers_for(locked, made.base)
    with pytest.raises(WrongSumError):
        fetcher.obtain([locked.url], sha256=locked.sha256, headers=headers)
    came = fetcher.read(locked.url, max_bytes=10**8, headers=headers)
    assert describe_other_bytes(came, locked, "x86_64").startswith(expected)
