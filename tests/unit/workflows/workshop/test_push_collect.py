"""Files to all seats, and everybody's work back: whole, and named where it is not."""

import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import UsageError
from sandbox.workflows.workshop import homes, push
from sandbox.workflows.workshop.collect import archive_name, collect
from sandbox.workflows.workshop.push import PushAnswer
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.homes import HomesManifest, differing
from sandbox.workshop.packing import MOST_FILES, pack_files
from sandbox.workshop.seat_map import Holder, Seat
from tests.fakes.learners import Homes, stamp_in
from tests.unit.workflows.workshop.conftest import Classroom

LAY_HOME, HAND_OUT = homes.lay_home, push.hand_out


@pytest.fixture
def learners(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> Homes:
    found = Homes()
    classroom.seats.answer = found.answer
    monkeypatch.setattr(homes, "lay_home", LAY_HOME)
    monkeypatch.setattr(push, "hand_out", HAND_OUT)
    return found


@pytest.fixture
def ws(classroom: Classroom, learners: Homes) -> RunningWorkshop:
    del learners
    return classroom.up()


@pytest.fixture
def material(tmp_path: Path) -> Path:
    folder = tmp_path / "material"
    (folder / "data").mkdir(parents=True)
    (folder / "a.R").write_text("1\n")
    (folder / "data" / "b.csv").write_text("x\n")
    return folder


def machine(ws: RunningWorkshop, number: int) -> str:
    seats = ws.map()
    return seats.instance_of(seats.seat(number))


def later(classroom: Classroom, *names: str) -> None:
    """Make machines that no seat has yet."""
    one = next(iter(classroom.seats.there.values()))
    classroom.seats.there.update({name: replace(one, name=name) for name in names})


def test_a_folder_keeps_its_name_and_the_archive_is_always_the_same(
    material: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    name = pack_files([material, material / "a.R"], tmp_path / "out")
    os.utime(material / "a.R", (1, 1))
    assert pack_files([material, material / "a.R"], tmp_path / "out") == name
    with tarfile.open(tmp_path / "out" / name) as tar:
        found = {one.name for one in tar}
    assert found == {"material", "material/a.R", "material/data", "material/data/b.csv", "a.R"}
    assert [one.name for one in (tmp_path / "out").iterdir()] == [name]


def test_what_is_no_plain_file_is_refused_before_anything_is_sent(
    ws: RunningWorkshop, learners: Homes, material: Path
) -> None:
    (material / "link").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="it is a link"):
        push.push(ws, [material])
    (material / "link").unlink()
    os.mkfifo(material / "pipe")
    with pytest.raises(UsageError, match="no plain file"):
        push.push(ws, [material])
    (material / "pipe").unlink()
    with (material / "large").open("wb") as file:
        file.truncate(200 * 1024**2)
    with pytest.raises(UsageError, match="too much to hand out: 200 MB in 5 files"):
        push.push(ws, [material])
    with pytest.raises(UsageError, match="No such file"):
        push.push(ws, [material / "none"])
    for to in ("..", "/etc", "a/../b", ""):
        with pytest.raises(UsageError, match="no folder below a home"):
            push.push(ws, [material / "a.R"], to)
    with pytest.raises(UsageError, match="no seat09"):
        push.push(ws, [material / "a.R"], numbers=[9])
    assert learners.pushed == []
    assert ws.store.require().handed_out == ()
    assert MOST_FILES >= 1000


def test_all_seats_get_it_and_those_that_come_later(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes, material: Path
) -> None:
    found = push.push(ws, [material], "course")
    assert [one.number for one in found] == [1, 2, 3, 4]
    assert all(one.is_whole for one in found)
    (handed,) = ws.store.require().handed_out
    assert (handed.to, handed.seats) == ("course", ())
    assert sorted(learners.pushed) == [(machine(ws, one), handed.archive) for one in (1, 2, 3, 4)]
    # Once more: it is known once, and the newest comes last
    push.push(ws, [material / "a.R"])
    push.push(ws, [material], "course")
    assert [one.to for one in ws.store.require().handed_out] == [".", "course"]
    learners.pushed.clear()
    later(classroom, "ws-class-09-g1")
    push.hand_out(ws, "ws-class-09-g1")
    assert len(learners.pushed) == 2
    assert classroom.seats.runs[-1][1][:2] == ("sh", "-c")


def test_what_one_seat_got_comes_to_its_next_machine_alone(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes, material: Path
) -> None:
    push.push(ws, [material], numbers=[2])
    learners.pushed.clear()
    later(classroom, "ws-class-01-g2", "ws-class-02-g2")
    push.hand_out(ws, "ws-class-01-g2")
    assert learners.pushed == []
    push.hand_out(ws, "ws-class-02-g2")
    assert len(learners.pushed) == 1


def test_a_seat_that_fails_is_named_and_the_rest_gets_it(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes, material: Path
) -> None:
    learners.push_answer = json.dumps(
        {"written": ["a"], "same": [], "aside": [["b", "b.new"]], "failed": [["c", "no room"]]}
    )
    classroom.seats.stop(machine(ws, 2))
    found = push.push(ws, [material])
    assert found[1].error is not None
    assert "does not run" in found[1].error.message
    assert found[0].answer == PushAnswer(
        written=("a",), aside=(("b", "b.new"),), failed=(("c", "no room"),)
    )
    assert not found[0].is_whole
    for nonsense in ("", "[]", '{"written": 1}', '{"other": []}', "x" * 100):
        learners.push_answer = nonsense
        (one,) = push.push(ws, [material], numbers=[1])
        assert (one.error is None) == (nonsense == "")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Ada Lovelace", "seat07-ada-lovelace.tar.gz"),
        ("  Jürgen   Groß ", "seat07-jurgen-gro.tar.gz"),
        ("../../etc/passwd", "seat07-etc-passwd.tar.gz"),
        ("李雷", "seat07.tar.gz"),
        ("a\n-b\x1b[31m", "seat07-a-b-31m.tar.gz"),
        ("x" * 500, f"seat07-{'x' * 60}.tar.gz"),
        ("-", "seat07.tar.gz"),
    ],
)
def test_an_archives_name_is_safe_for_any_person(name: str, file: str) -> None:
    assert archive_name(Seat(number=7, holder=Holder(name=name))) == file


def stamp_of(folder: Path, file: str) -> int:
    plain = folder.parent / "plain.tar"
    plain.write_bytes(gzip.decompress((folder / file).read_bytes()))
    return stamp_in(plain)


def test_every_seat_gives_one_archive_that_its_sum_proves(
    ws: RunningWorkshop, learners: Homes, tmp_path: Path
) -> None:
    ws.store.change_seat(1, lambda one: one.model_copy(update={"holder": Holder(name="Ada L.")}))
    stamps = {one: learners.work(machine(ws, one)) for one in (1, 2, 3, 4)}
    folder = tmp_path / "out" / "homes"
    manifest = collect(ws, folder)
    assert [one.file for one in manifest.homes][:2] == ["seat01-ada-l.tar.gz", "seat02.tar.gz"]
    assert [stamp_of(folder, one.file) for one in manifest.homes] == list(stamps.values())
    assert not any(one.is_old for one in manifest.homes)
    assert manifest.missing == ()
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    for line, one in zip(sums, manifest.homes, strict=True):
        assert line == f"{hashlib.sha256((folder / one.file).read_bytes()).hexdigest()}  {one.file}"
    # Again: nothing is left over, and the same bytes give the same files
    again = collect(ws, folder)
    assert [one.sha256 for one in again.homes] == [one.sha256 for one in manifest.homes]
    assert len(list(folder.iterdir())) == 4 + 2


def test_a_seat_that_does_not_answer_gives_its_last_copy_or_its_name(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes, tmp_path: Path
) -> None:
    stamp = learners.work(machine(ws, 1))
    homes.save_homes(ws, [1])
    for number in (1, 2):
        classroom.seats.stop(machine(ws, number))
    manifest = collect(ws, tmp_path / "homes")
    assert manifest.missing == ("seat02",)
    old = manifest.homes[0]
    assert (old.seat, old.is_old, stamp_of(tmp_path / "homes", old.file)) == ("seat01", True, stamp)


def test_no_older_copy_takes_the_place_of_an_archive(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes, tmp_path: Path
) -> None:
    folder = tmp_path / "homes"
    homes.save_homes(ws, [1])
    stamp = learners.work(machine(ws, 1))
    # Too large for the copies, and yet collected
    answer = learners.answer

    def large(name: str, argv: Sequence[str], stdin: Any) -> Any:
        learners.too_large = {name} if len(argv) > 5 and argv[5] == "200" else set()
        return answer(name, argv, stdin)

    classroom.seats.answer = large
    manifest = collect(ws, folder)
    assert stamp_of(folder, manifest.homes[0].file) == stamp
    classroom.seats.stop(machine(ws, 1))
    again = collect(ws, folder)
    assert again.homes[0] == manifest.homes[0].model_copy(update={"is_old": True})
    assert differing(folder, again) == []


def test_the_folder_of_another_workshop_is_refused(ws: RunningWorkshop, tmp_path: Path) -> None:
    other = HomesManifest(workshop="other", homes=())
    (tmp_path / "manifest.json").write_text(other.model_dump_json())
    with pytest.raises(UsageError, match="of the workshop other"):
        collect(ws, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="nothing can be written"):
        collect(ws, tmp_path / "file")
    (tmp_path / "manifest.json").write_text("{")
    assert len(collect(ws, tmp_path).homes) == 4
