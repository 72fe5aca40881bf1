"""From a box to a plan: complete, frozen, the same every time."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from sandbox.errors import BoxError, ExitCode, UsageError
from sandbox.missing import missing_packages
from sandbox.placement import place, valid_name
from sandbox.plan import HostLimits, Plan, exceeds_host
from sandbox.resolving import resolve
from sandbox.spec.load import load_box

SHINY = """\
version: 1
base: debian-12
machine: {cpus: 2, memory_mb: 2048, disk_gb: 20}
system:
  locale: en_US.UTF-8
  packages: [git]
  environment: {A: "1"}
r:
  version: "4.2"
  blas: openblas
  options: {digits: 7, scipen: 2.5, warn: true}
  packages:
    names:
      - data.table
      - DBI
      - rmarkdown
      - stats
services: {shiny_server: {}}
apps:
  - {name: hello, path: app}
"""

Make = Callable[..., Plan]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.R").write_text("1")

    def plan(text: str = SHINY, *, file: str = "hello.yml", **sizes: int) -> Plan:
        path = tmp_path / file
        path.write_text(text)
        return place(resolve(load_box(path)), provider="fake", name=None, **sizes).plan

    return plan


def test_every_package_is_planned_once_and_sorted(make: Make) -> None:
    assert make().apt_packages == (
        "ca-certificates",
        "fonts-dejavu-core",
        "git",
        "libopenblas0-pthread",
        "locales",
        "pandoc",
        "r-base-core",
        "r-cran-data.table",
        "r-cran-dbi",
        "r-cran-rmarkdown",
        "shiny-server",
        "tzdata",
    )


def test_a_machine_without_r_needs_little(make: Make) -> None:
    plan = make("version: 1\nbase: debian-12\n")
    assert plan.apt_packages == ("ca-certificates", "tzdata")
    assert plan.r is None
    assert plan.servers == ()


def test_a_base_may_need_packages_of_its_own(make: Make) -> None:
    plan = make("version: 1\nbase: debian-13\nsystem: {timezone: US/Eastern}\n")
    assert "tzdata-legacy" in plan.apt_packages


def test_a_plan_survives_json_whole(make: Make) -> None:
    plan = make()
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again == plan
    assert again.key == plan.key
    assert again.r is not None
    assert [type(value) for value in again.r.options.values()] == [int, float, bool]


def test_a_plan_is_frozen(make: Make) -> None:
    with pytest.raises(ValidationError):
        make().__setattr__("name", "other")


def test_the_key_knows_what_the_machine_is_and_nothing_else(make: Make, tmp_path: Path) -> None:
    key = make().key
    assert len(key) == 12
    assert make().key == key
    assert place(make(), provider="fake", name="other").key == key
    assert make(file="other.yml").key == key
    assert place(make(), provider="incus").key == key
    assert make(SHINY + "description: words\n").key == key
    assert make(SHINY + "checks: {budget: {warm_page_s: 9}}\n").key == key
    assert make(cpus=1).key != key
    assert make(SHINY.replace("A: ", "B: ")).key != key
    assert make(SHINY.replace("git", "vim")).key != key
    (tmp_path / "app" / "app.R").write_text("2")
    assert make().key != key


def test_an_apps_fingerprint_has_names_contents_and_links(make: Make, tmp_path: Path) -> None:
    app = tmp_path / "app"
    prints = [make().apps[0].sha256]
    (app / "data").mkdir()
    prints.append(make().apps[0].sha256)
    (app / "data" / "x.csv").write_text("1")
    prints.append(make().apps[0].sha256)
    (app / "data" / "x.csv").rename(app / "data" / "y.csv")
    prints.append(make().apps[0].sha256)
    (app / "run").symlink_to("app.R")
    prints.append(make().apps[0].sha256)
    (app / "app.R").chmod(0o755)
    prints.append(make().apps[0].sha256)
    assert len(set(prints)) == len(prints)
    assert make().apps[0].path == app


def test_a_certificate_counts_by_its_content(make: Make, tmp_path: Path) -> None:
    text = SHINY.replace("  packages: [git]", "  ca_certificates: [ca.pem]")
    certificate = tmp_path / "ca.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    first = make(text)
    assert first.ca_certificates == (certificate,)
    certificate.write_text("-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n")
    assert make(text).key != first.key
    certificate.rename(tmp_path / "other.pem")
    assert make(text.replace("ca.pem", "other.pem")).key != first.key


def test_overrides_replace_the_boxs_sizes(make: Make) -> None:
    machine = make(cpus=1, memory_mb=512, disk_gb=5).machine
    assert (machine.cpus, machine.memory_mb, machine.disk_gb) == (1, 512, 5)


def test_impossible_overrides_are_all_named(make: Make) -> None:
    with pytest.raises(UsageError) as caught:
        make(cpus=0, memory_mb=1, disk_gb=10**9)
    assert caught.value.details == (
        "--cpus 0: must be at least 1\n"
        "--memory-mb 1: must be at least 256\n"
        "--disk-gb 1000000000: must be at most 65536"
    )


@pytest.mark.parametrize(
    ("file", "name"), [("r-4.0.yml", "r-4-0"), ("My_Box.yml", "my-box"), ("shiny.yml", "shiny")]
)
def test_the_name_comes_from_the_file(make: Make, file: str, name: str) -> None:
    assert place(make(file=file), provider="fake").name == name


@pytest.mark.parametrize(
    "name", ["", "A", "4x", "-x", "x-", "a b", "a;id", "x" * 41, "a\n", "../a", "$(id)", "#{1}"]
)
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        valid_name(name)
    assert caught.value.exit_code == ExitCode.USAGE
    assert "--name" in caught.value.hint


@pytest.fixture
def unlisted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base of which nobody wrote down the R packages: what it lacks is known when it is built."""
    monkeypatch.setattr("sandbox.spec.r_packages.index_of", lambda _: None)


@pytest.mark.usefixtures("unlisted")
def test_all_missing_packages_at_once_where_the_box_says_them(make: Make) -> None:
    plan = make(SHINY.replace("[git]", "[git, libcurl4-openssl-dve]").replace("DBI", "ggplot3"))
    available = {*plan.apt_packages, "r-cran-ggplot2", "libcurl4-openssl-dev"}
    available -= {"r-cran-ggplot3", "libcurl4-openssl-dve", "tzdata"}
    error = missing_packages(plan, available)
    assert error is not None
    assert error.exit_code == ExitCode.BOX
    assert error.message == "debian-12 does not have 3 packages that `hello.yml` needs"
    assert error.details.splitlines() == [
        "hello.yml:6: system.packages: `libcurl4-openssl-dve`. "
        "Perhaps you meant `libcurl4-openssl-dev`?",
        "hello.yml:15: r.packages.names: `ggplot3` (r-cran-ggplot3). Perhaps you meant `ggplot2`?",
        "tzdata, which other parts of the box need",
    ]


@pytest.mark.usefixtures("unlisted")
def test_missing_packages_are_said_without_the_box_file_too(make: Make) -> None:
    plan = make(SHINY.replace("DBI", "ggplot3"))
    plan.box_path.unlink()
    error = missing_packages(plan, set(plan.apt_packages) - {"r-cran-ggplot3"})
    assert error is not None
    assert error.details == "r.packages.names: `ggplot3` (r-cran-ggplot3)"


def test_nothing_missing_is_no_error(make: Make) -> None:
    plan = make()
    assert missing_packages(plan, plan.apt_packages) is None


def test_an_app_that_cannot_be_read_is_the_boxs_problem(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "app/app.R")

    make()
    monkeypatch.setattr("hashlib.file_digest", refuse)
    with pytest.raises(BoxError, match=r"hello.yml:20: app/app.R cannot be read"):
        make()


def test_what_the_host_cannot_give(make: Make) -> None:
    plan = make()
    assert exceeds_host(plan, HostLimits(memory_mb=2048, cpus=2, free_disk_gb=20)) == []
    assert exceeds_host(plan, HostLimits(memory_mb=1024, cpus=1, free_disk_gb=9.6)) == [
        "memory_mb: 2048 MB, and this host has 1024 MB",
        "cpus: 2, and this host has 1",
        "disk_gb: 20 GB, and 10 GB are free",
    ]


def test_what_stays_out_of_an_app_does_not_count(make: Make, tmp_path: Path) -> None:
    first = make()
    for name in (".Renviron", ".Rhistory", "id_rsa", "data.csv"):
        (tmp_path / "app" / name).write_text("x")
    (tmp_path / "app" / ".sandboxignore").write_text("data.csv\n")
    assert make().key == first.key
    asked = make(SHINY.replace("path: app}", "path: app, include: [.Renviron]}"))
    assert asked.key != first.key
    assert asked.apps[0].include == (".Renviron",)


def test_how_much_an_app_may_hold_is_not_what_the_machine_is(make: Make) -> None:
    assert make(SHINY.replace("path: app}", "path: app, max_mb: 5}")).key == make().key


def test_an_app_that_is_too_large_is_refused_at_its_line_without_reading_it(
    make: Make, tmp_path: Path
) -> None:
    with (tmp_path / "app" / "big.bin").open("wb") as file:
        file.truncate(40 * 1024**3)
    started = time.monotonic()
    with pytest.raises(BoxError) as caught:
        make()
    assert time.monotonic() - started < 1
    assert (
        "hello.yml:20: apps[0].path: the app at `app` is too large: it holds more than 1024 MB"
        in (caught.value.details)
    )
    assert "`max_mb:`" in caught.value.details


def test_a_saved_plan_of_an_older_version_is_read(make: Make) -> None:
    content = make().model_dump(mode="json")
    del content["box_root"], content["apps"][0]["include"], content["apps"][0]["max_mb"]
    assert Plan.model_validate_json(json.dumps(content)) == make()


TWO_RS = """\
version: 1
base: debian-12
r:
  versions:
    - {version: "4.4.1", source: posit, default: true}
    - {version: "4.2", packages: {names: [DBI]}}
"""


def test_debians_r_is_installed_only_where_it_is_wanted(make: Make) -> None:
    posit = "version: 1\nbase: debian-12\nr: {version: '4.4.1', source: posit}\n"
    assert "r-base-core" not in make(posit).apt_packages
    both = make(TWO_RS).apt_packages
    assert {"r-base-core", "r-cran-dbi", "fonts-dejavu-core", "libblas3"} <= {*both}


def test_another_version_of_posits_is_another_machine(make: Make) -> None:
    assert make(TWO_RS).key == make(TWO_RS, file="other.yml").key
    assert make(TWO_RS).key != make(TWO_RS.replace("4.4.1", "4.4.2")).key


def test_a_package_that_may_be_missing_is_left_out_of_the_r_that_has_it(make: Make) -> None:
    plan = make(TWO_RS.replace("[DBI]", "[DBI, shiny]")).without_packages(["DBI"])
    assert plan.r is not None
    assert plan.r.debian_packages.names == ("shiny",)
    assert "r-cran-dbi" not in plan.apt_packages
