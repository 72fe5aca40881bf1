"""Ports: free, each given once, and the same ones again."""

from pathlib import Path

import pytest

from sandbox.errors import HostError
from sandbox.providers.vagrant import ports as vagrant_ports
from sandbox.providers.vagrant.files import VmFolder, VmRecord, port_fields
from sandbox.providers.vagrant.ports import COUNT, FIRST, PortBook, choose_ports
from tests.unit.providers.vagrant.test_words import record


@pytest.fixture(autouse=True)
def all_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> set[int]:
    busy: set[int] = set()
    monkeypatch.setattr(vagrant_ports, "is_free", lambda port: port not in busy)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return busy


def test_a_name_has_the_same_ports_again() -> None:
    first = choose_ports("shiny", (22, 3838), ())
    assert choose_ports("shiny", (22, 3838), ()) == first
    assert len(set(first.values())) == 2
    assert all(FIRST <= port < FIRST + COUNT for port in first.values())


def test_what_is_taken_or_busy_is_not_given(all_free: set[int]) -> None:
    first = choose_ports("shiny", (22,), ())[22]
    all_free.add(first + 1)
    assert choose_ports("shiny", (22,), {first})[22] == first + 2


def test_none_left() -> None:
    with pytest.raises(HostError, match="no port"):
        choose_ports("shiny", (22,), range(FIRST, FIRST + COUNT))


def test_nobody_gets_what_another_has(tmp_path: Path, all_free: set[int]) -> None:
    book = PortBook(tmp_path / "instances")
    given: set[int] = set()
    for number in range(30):
        folder = VmFolder(tmp_path / "instances" / f"m{number}")

        def make(ports: dict[int, int]) -> VmRecord:
            return record(**port_fields(ports))

        made = book.reserve(folder, (22, 3838), make)
        ports = {made.ssh_port, *(host for _, host in made.forwarded)}
        assert not ports & given
        given |= ports
        assert folder.read() == made
    folder = VmFolder(tmp_path / "instances" / "m0")
    before = folder.read()
    assert before is not None
    assert book.renew(folder, before) == before
    all_free.add(before.ssh_port)
    after = book.renew(folder, before)
    assert after.ssh_port not in given
    assert after.forwarded == before.forwarded
    assert folder.read() == after
