"""What a bare machine says for a lock, and how machines differ from it."""

import pytest

from sandbox.box_lock.model import LockedSystem
from sandbox.materials.lock_answers import (
    OddAnswerError,
    lock_question,
    locked_system,
    missing_debs,
    read_lock_answer,
    unlike_after,
    unlike_before,
)
from tests.unit.box_lock.made import base, deb, dpkg

SUM = "ab" * 32
CUT = "--- what sandbox asks next ---\n"


def uri(name: str, version: str, architecture: str = "amd64") -> str:
    file = f"{name}_{version}_{architecture}.deb"
    return f"'http://m.example/pool/{file}' {file} 7 SHA256:{SUM}\n"


def answer(*, wanted: str = "", simulated: str = "", known: str = "") -> str:
    installed = dpkg(("libc6", "2.36-9"), ("old", "1-1"), ("perl", "1:5.36-7"), ("gone", "1"))
    return CUT.join((installed + "rc \tleft\t1\tamd64\n", wanted, simulated, known))


def test_each_package_is_locked_in_one_of_three_ways() -> None:
    said = answer(
        wanted=uri("jq", "1.6-2") + uri("perl", "1%3a5.36-8"),
        simulated="Inst jq (1.6-2 x)\nRemv gone [1]\n",
        known=uri("libc6", "2.36-9") + uri("old", "2-1") + uri("perl", "1%3a5.36-8"),
    )
    system = locked_system(read_lock_answer(said))
    assert [(one.title, one.in_base) for one in system.debs] == [
        ("jq 1.6-2", False),
        ("libc6 2.36-9", True),
        ("perl 1:5.36-8", False),
    ]
    assert [(one.name, one.version) for one in system.from_base] == [
        ("old", "1-1"),
        ("perl", "1:5.36-7"),
    ]
    assert system.versions == {
        "libc6:amd64": "2.36-9",
        "old:amd64": "1-1",
        "perl:amd64": "1:5.36-8",
        "jq:amd64": "1.6-2",
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ii \tlibc6\t1\tamd64\n", "cut off"),
        (answer(wanted=f"'cdrom:[x]/a.deb' a_1_all.deb 7 SHA256:{SUM}\n"), "without checksum"),
        (answer(wanted="'http://m.example/a.deb' a_1_all.deb 7 \n"), "without checksum"),
        (answer(wanted=f"'http://m.example/a.deb' a.deb 7 SHA256:{SUM}\n"), "which package"),
    ],
)
def test_what_cannot_be_locked(said: str, expected: str) -> None:
    with pytest.raises(OddAnswerError, match=expected):
        locked_system(read_lock_answer(said))


def test_a_local_file_is_not_downloaded() -> None:
    said = answer(wanted="'file:/var/x/r-4.4.1_1_amd64.deb' r-4.4.1_1_amd64.deb 7 SHA512:00\n")
    assert read_lock_answer(said).wanted == ()


def test_no_name_is_code() -> None:
    assert "'jq; id'" in lock_question(["jq; id"], [])


SYSTEM = LockedSystem(
    debs=(deb("jq"), deb("libc6", "2.36-9", in_base=True), deb("perl", "2")),
    from_base=(base("old"), base("perl", "1")),
)
BARE = (("libc6", "2.36-9"), ("old", "1.0-1"), ("perl", "1"))
DONE = (("libc6", "2.36-9"), ("old", "1.0-1"), ("perl", "2"), ("jq", "1.0-1"))


def test_a_bare_machine_lacks_what_is_new() -> None:
    assert [one.name for one in missing_debs(SYSTEM, dpkg(*BARE))] == [
        "jq_1.0-1_amd64.deb",
        "perl_2_amd64.deb",
    ]
    assert missing_debs(SYSTEM, dpkg(*DONE)) == ()


@pytest.mark.parametrize("packages", [BARE, DONE])
def test_a_base_as_it_was_locked(packages: tuple[tuple[str, str], ...]) -> None:
    assert unlike_before(SYSTEM, dpkg(*packages, ("vim", "9"))) == ()


def test_a_base_of_another_build() -> None:
    found = unlike_before(SYSTEM, dpkg(("libc6", "2.36-10"), ("perl", "1")))
    assert found == (
        "libc6: 2.36-10, and the lock has 2.36-9",
        "old: not there, and the lock has 1.0-1",
    )


def test_a_finished_machine() -> None:
    assert unlike_after(SYSTEM, dpkg(*DONE)) == ()
    assert unlike_after(SYSTEM, dpkg(*DONE, ("r-4.4.1", "1")), others=["r-4.4.1"]) == ()
    assert unlike_after(SYSTEM, dpkg(*DONE[:3], ("vim", "9"))) == (
        "jq: not there, and the lock has 1.0-1",
        "vim: 9, and the lock has none",
    )
