"""Whatever would run a box's own code asks first; hostile boxes run and read nothing, anywhere."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.checks.results import CheckReport
from sandbox.errors import BoxError, UsageError
from sandbox.placement import Placement, place
from sandbox.providers.engine import Power
from sandbox.record import Record
from sandbox.resolving import resolve
from sandbox.spec.bases import load_bases
from sandbox.spec.catalogue import examine
from sandbox.spec.load import load_box
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.trust import Consent
from sandbox.trust_store import TrustStore
from sandbox.workflows import cache, check, choose_placement, compare, preview, report, up
from tests.fakes.guest import FakeGuest
from tests.unit.factories import shiny_plan
from tests.unit.workflows.conftest import Bench

HEAD = "version: 1\nbase: debian-12\n"
OWN = HEAD + "checks: {files: [test_own.py]}\n"
SECRET = "hunter2-of-the-neighbour"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A box with a check of its own, which leaves a mark when anything runs it."""
    folder = tmp_path / "box"
    folder.mkdir()
    (folder / "test_own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    (folder / "conftest.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    (folder / "box.yml").write_text(OWN)
    return folder / "box.yml"


def plan_of(box: Path) -> Placement:
    return place(resolve(load_box(box)), provider="fake", name="box")


def test_up_refuses_before_anything_is_touched(bench: Bench, box: Path) -> None:
    with pytest.raises(UsageError, match="nobody has agreed"):
        bench.up(plan_of(box))
    assert bench.engine.status() == {}
    assert not Instance("box").exists()


def test_up_without_checks_runs_none_and_asks_nobody(bench: Bench, box: Path) -> None:
    bench.up(plan_of(box), checks=False)
    assert bench.engine.status()["box"].power is Power.RUNNING


def test_up_of_what_is_agreed_to_goes_on(bench: Bench, box: Path) -> None:
    TrustStore().add(box.parent)
    bench.up(plan_of(box))
    assert bench.verified == ["all of box"]
    again = bench.up(plan_of(box))
    assert again.unchanged


def test_bake_refuses_before_a_base_image_is_built(
    bench: Bench, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    monkeypatch.setattr(cache, "prepare_base", lambda *words: built.append(words))
    with pytest.raises(UsageError, match="nobody has agreed"):
        cache.bake(plan_of(box), context=bench.context)
    assert not built


def test_check_refuses_before_it_looks_at_the_machine(
    bench: Bench, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Instance("box").write(Record(placement=plan_of(box), phase=Phase.PROVISIONED))
    asked: list[str] = []
    monkeypatch.setattr(FakeGuest, "require_running", lambda _: asked.append("status"))
    with pytest.raises(UsageError, match="nobody has agreed"):
        check.check("box", context=bench.context)
    assert not asked


def test_check_runs_the_bytes_that_were_agreed_to(
    bench: Bench, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(placement=plan_of(box), phase=Phase.PROVISIONED)
    Instance("box").write(record)
    code = box.with_name("test_own.py")
    context = replace(bench.context, consent=Consent(is_given=True))
    context.agreed_checks(record.plan)
    code.write_text("something else")
    with pytest.raises(UsageError, match="nobody has agreed"):
        check.verify(bench.context.guest_named("box"), bench.context)


def test_what_stays_out_of_an_app_is_said(bench: Bench, tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    for name in ("app.R", ".Renviron", *(f"{number}.pem" for number in range(7))):
        (app / name).touch()
    plan = shiny_plan()
    plan = plan.model_copy(update={"apps": (plan.apps[0].model_copy(update={"path": app}),)})
    bench.up(plan)
    assert bench.notices()[0] == (
        "left out of the app faithful: .Renviron, 0.pem, 1.pem, 2.pem, 3.pem and 3 more "
        "(`include:` takes one by name)"
    )


# Hostile boxes, by every command


class Watch:
    """All files and folders that this process opened while it was on."""

    on = False
    opened: list[str] = []  # noqa: RUF012  (an audit hook stays for the life of the process)
    hooked = False

    @classmethod
    def note(cls, event: str, arguments: tuple[object, ...]) -> None:
        if cls.on and event in {"open", "os.scandir", "os.listdir", "subprocess.Popen"}:
            cls.opened.append(os.path.realpath(os.fsdecode(str(arguments[0]))))


@pytest.fixture
def watch() -> Iterator[type[Watch]]:
    if not Watch.hooked:
        sys.addaudithook(Watch.note)
        Watch.hooked = True
    Watch.opened.clear()
    yield Watch
    Watch.on = False


HOSTILE = {
    "an app by its path": "services: {shiny_server: {}}\nr: {}\napps: [{name: a, path: OUT}]\n",
    "an app by dots": "services: {shiny_server: {}}\nr: {}\napps: [{name: a, path: ../out}]\n",
    "an app by a link": "services: {shiny_server: {}}\nr: {}\napps: [{name: a, path: link}]\n",
    "a parent": "extends: OUT/box.yml\n",
    "a parent by a link": "extends: link/box.yml\n",
    "a parent that is a key": "extends: ../out/id_rsa\n",
    "a parent of the kernel's": "extends: /proc/self/environ\n",
    "a certificate": "system: {ca_certificates: [../out/ca.pem]}\n",
    "a certificate by a link": "system: {ca_certificates: [link/ca.pem]}\n",
    "checks": "checks: {files: [OUT/test_own.py]}\n",
    "checks by a link": "checks: {files: [test_link.py]}\n",
    "production": "production: ../out/prod.facts.json\n",
    "production by a link": "production: link/prod.facts.json\n",
}


def validated(box: Path, _: Bench) -> object:
    entry = examine(box, "here", load_bases())
    if entry.loaded is None:
        raise BoxError("\n".join(map(str, entry.problems)))
    return entry


def planned(box: Path, bench: Bench) -> Placement:
    context = replace(bench.context, provider="incus")
    overrides = choose_placement.Overrides()
    return choose_placement.placement_for(str(box), overrides, context, cwd=box.parent)


def rendered(box: Path, bench: Bench) -> object:
    return preview.preview(planned(box, bench), bench.context)


def upped(box: Path, bench: Bench) -> object:
    return up.up(planned(box, bench), context=bench.context)


def baked(box: Path, bench: Bench) -> object:
    return cache.bake(planned(box, bench), context=bench.context)


def checked(box: Path, bench: Bench) -> CheckReport:
    Instance("box").write(Record(placement=planned(box, bench), phase=Phase.PROVISIONED))
    return check.check("box", context=bench.context)


def reported(box: Path, bench: Bench) -> str:
    Instance("box").write(Record(placement=planned(box, bench), phase=Phase.PROVISIONED))
    return report.page_of("box", made_at="now")


def compared(box: Path, bench: Bench) -> object:
    return compare.side_of(str(box), bench.context, cwd=box.parent)


COMMANDS: dict[str, Callable[[Path, Bench], object]] = {
    "validate": validated,
    "render": rendered,
    "up": upped,
    "bake": baked,
    "check": checked,
    "report": reported,
    "diff": compared,
}


@pytest.fixture
def out(tmp_path: Path, box: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("app.R", "id_rsa", "prod.facts.json"):
        (folder / name).write_text(SECRET)
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    (folder / "box.yml").write_text(f"{HEAD}description: {SECRET}\n")
    (folder / "test_own.py").write_text(box.with_name("test_own.py").read_text())
    (box.parent / "link").symlink_to(folder)
    (box.parent / "test_link.py").symlink_to(folder / "test_own.py")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("agrees", [False, True], ids=["nobody there", "--trust"])
def test_no_command_reads_or_runs_what_is_outside(  # noqa: PLR0917  (pytest names them)
    bench: Bench,
    box: Path,
    out: Path,
    watch: type[Watch],
    command: str,
    hostile: str,
    *,
    agrees: bool,
) -> None:
    bench.context = replace(bench.context, consent=Consent(is_given=agrees))
    box.write_text(HEAD + HOSTILE[hostile].replace("OUT", str(out)), encoding="utf-8")
    watch.on = True
    with pytest.raises(BoxError) as caught:
        COMMANDS[command](box, bench)
    watch.on = False
    assert not [path for path in watch.opened if path.startswith((str(out), "/proc/"))]
    assert str(box) in watch.opened, "the watch sees nothing"
    assert SECRET not in f"{caught.value.message} {caught.value.details} {caught.value.hint}"
    assert not (out.parent / "ran").exists()
    assert bench.engine.status() == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_code_that_nobody_agreed_to(
    bench: Bench, box: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(cache, "prepare_base", lambda *_: bench.base)
    if command in {"up", "bake", "check"}:
        with pytest.raises(UsageError, match="nobody has agreed"):
            COMMANDS[command](box, bench)
        assert bench.engine.status() == {}
    else:
        COMMANDS[command](box, bench)
    assert not (box.parents[1] / "ran").exists()
