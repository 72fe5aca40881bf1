"""Workshop files: merged, validated, and every problem at its line."""

from pathlib import Path

import pytest

from sandbox.spec.load_workshop import LoadedWorkshop, load_workshop
from sandbox.spec.problem import InvalidBoxError

BOX = "version: 1\nbase: debian-12\nr: {}\n"
WHOLE = """\
version: 1
description: R for beginners
box: class.yml
roster: people.csv
spare: 3
limits: {cpus: 1, memory_mb: 2048, processes: 500, disk_gb: 4}
work_mb: 900
files:
  - {path: material, to: course/data}
exercises:
  - {name: ex1, check: ex1.py}
starts: 2026-12-01T09:00+01:00
ends: "2026-12-01 17:00+01:00"
names: {domain: class.example.org}
tls: {certificate: cert.pem, key: key.pem}
listen: {address: 192.0.2.7, port: 443}
copies: {every_s: 60, max_mb: 100}
may_reach: ["mirror.example.org:443"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class.yml").write_text(BOX)
    (tmp_path / "people.csv").write_text("name,email\nAda,ada@example.org\nBo,\n")
    (tmp_path / "material").mkdir()
    (tmp_path / "ex1.py").write_text("def test_it(host): pass\n")
    (tmp_path / "cert.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    (tmp_path / "key.pem").write_text(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    )
    return tmp_path


def load(text: str) -> LoadedWorkshop:
    Path("ada.workshop.yml").write_text(text, encoding="utf-8")
    return load_workshop(Path("ada.workshop.yml"))


def problems_of(text: str) -> list[str]:
    with pytest.raises(InvalidBoxError) as caught:
        load(text)
    return [str(one).splitlines()[0] for one in caught.value.problems]


@pytest.mark.usefixtures("folder")
def test_a_whole_one_is_read() -> None:
    found = load(WHOLE)
    assert found.name == "ada"
    assert (found.seats, found.spare) == (2, 3)
    assert [one.name for one in found.people] == ["Ada", "Bo"]
    assert found.box.name == "class"
    assert found.file_at("files", 0, "path") == Path("material").resolve()
    assert found.workshop.limits.processes == 500


@pytest.mark.usefixtures("folder")
def test_whole_seats_are_copied_no_more_often_than_each_minute() -> None:
    copies = load("version: 1\nbox: r\nseats: 3\ncopies: {seats: true}\n").workshop.copies
    assert (copies.seats, copies.seats_every_s) == (True, 600)
    text = "version: 1\nbox: r\nseats: 3\ncopies: {seats: true, seats_every_s: 5}\n"
    (problem,) = problems_of(text)
    assert "copies.seats_every_s" in problem


@pytest.mark.usefixtures("folder")
def test_the_shortest_one_has_a_shipped_box_and_spare_seats() -> None:
    found = load("version: 1\nbox: r\nseats: 30\n")
    assert (found.seats, found.spare, found.people) == (30, 3, ())
    assert found.box.name == "r"
    assert found.workshop.spare_for(1) == 2
    assert found.workshop.listen.address == "127.0.0.1"


@pytest.mark.usefixtures("folder")
def test_one_extends_another() -> None:
    Path("base.workshop.yml").write_text(WHOLE, encoding="utf-8")
    found = load("version: 1\nextends: base.workshop.yml\nspare: 0\nroster: ~\nseats: 4\n")
    assert (found.seats, found.spare) == (4, 0)
    assert found.workshop.description == "R for beginners"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\n", "ada.workshop.yml:1: `box` is missing"),
        ("version: 1\nbox: r\n", "nobody says how many seats there are"),
        (
            "version: 1\nbox: r\nseats: 3\nroster: people.csv\n",
            "ada.workshop.yml:3: seats: a roster",
        ),
        ("version: 1\nbox: r\nseats: 239\n", "ada.workshop.yml:3: seats: 239 seats and 24 spare"),
        ("version: 1\nbox: r\nseat: 3\n", "unknown key `seat`. Perhaps you meant `seats`?"),
        ("version: 1\nbox: none.yml\nseats: 3\n", "ada.workshop.yml:2: box: no box at `none.yml`"),
        (
            "version: 1\nbox: shinny\nseats: 3\n",
            "ada.workshop.yml:2: box: there is no box `shinny`",
        ),
        (
            "version: 1\nbox: r\nroster: no.csv\n",
            "ada.workshop.yml:3: roster: no roster at `no.csv`",
        ),
        ("version: 1\nbox: r\nseats: 3\nroster: /etc/passwd\n", "leads out of what"),
        (
            "version: 1\nbox: r\nseats: 3\nfiles:\n- path: none\n",
            "ada.workshop.yml:5: files[0].path: nothing to hand out at `none`",
        ),
        (
            "version: 1\nbox: r\nseats: 3\nfiles:\n- {path: material, to: ../up}\n",
            "expected a folder below a home",
        ),
        (
            "version: 1\nbox: r\nseats: 3\nexercises: [{name: a, check: no.py}]\n",
            "no check at `no.py`",
        ),
        (
            "version: 1\nbox: r\nseats: 3\n"
            "exercises: [{name: a, check: ex1.py}, {name: a, check: ex1.py}]\n",
            "two exercises are called `a`",
        ),
        ("version: 1\nbox: r\nseats: 3\nstarts: 2026-12-01\n", "expected a day, a time and its"),
        ("version: 1\nbox: r\nseats: 3\nstarts: 2026-13-01T09:00Z\n", "there is no such moment"),
        (
            "version: 1\nbox: r\nseats: 3\n"
            "starts: 2026-12-01T09:00Z\nends: 2026-12-01T09:00+01:00\n",
            "ada.workshop.yml:5: ends: it ends before it starts",
        ),
        (
            "version: 1\nbox: r\nseats: 3\nlisten: {address: 192.0.2.7}\n",
            "Name a domain of the room's DNS, or `domain: 192.0.2.7.nip.io`",
        ),
        (
            "version: 1\nbox: r\nseats: 3\ntls: {certificate: key.pem, key: cert.pem}\n",
            "no key at `cert.pem`: cert.pem holds no private key",
        ),
        ("version: 1\nbox: r\nseats: 3\nlisten: {port: 8090}\n", "have one port"),
        ("version: 1\nbox: r\nseats: 3\nuser: Ada Lovelace\n", "expected a Linux user"),
        ("version: 1\nbox: r\nseats: 3\nremotes: ['-x']\n", "the name of an Incus remote"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(text: str, expected: str) -> None:
    told = problems_of(text)
    assert any(expected in one for one in told), told


@pytest.mark.usefixtures("folder")
def test_the_problems_of_the_box_and_of_the_roster_are_told_too() -> None:
    Path("class.yml").write_text("version: 1\nbase: debian-99\n", encoding="utf-8")
    Path("people.csv").write_text("name\n\x1b[2J\n", encoding="utf-8")
    told = problems_of("version: 1\nbox: class.yml\nroster: people.csv\nspare: -1\n")
    assert [one.partition(": ")[0] for one in told] == [
        "ada.workshop.yml:4",
        "class.yml:2",
        "people.csv:2",
    ]


@pytest.mark.usefixtures("folder")
def test_a_box_is_not_taken_for_a_workshop_and_shows_no_secret() -> None:
    told = problems_of("password: hunter2\nusers: [a]\n")
    assert not any("hunter2" in one for one in told)
    assert "does not look like a workshop" in told[0]
