"""virsh, as it behaves when somebody else is at work on the same host."""

import re
from typing import Any

import pytest

from sandbox.engines import libvirt_virsh
from sandbox.engines.base import Power
from sandbox.engines.vagrant_libvirt import Libvirt
from sandbox.run import Completed

ONE, TWO = "0b4e7a0c-6e0b-4a55-9f0b-0123456789ab", "4dd4be9e-f5ba-480d-af44-83bfc0cbe24f"
GONE = f"error: failed to get domain '{TWO}'\n"
BOTH = f"""\
 1    sbx-one   running
 -    sbx-two   shut off

== {ONE}   sbx-one
 {TWO}   sbx-two

"""
LEFT = f" 1    sbx-one   running\n\n== {ONE}   sbx-one\n\n"


def answer(monkeypatch: pytest.MonkeyPatch, *lists: str) -> list[str]:
    """A virsh that lists these, one after the other, and describes the first domain alone.

    As the real one with `-q`, it ends no line of a description, and says nothing where is none.
    """
    asked: list[str] = []
    to_come = list(lists)

    def run(words: tuple[str, ...], *, check: bool = True, **_: Any) -> Completed:
        asked.append(words[4])
        if words[4].startswith("list"):
            return Completed(words, 0, to_come.pop(0), "", 0.1)
        assert not check
        marks = re.findall(r"echo (\S+); desc ([^\s;]+)", words[4])
        said = "".join(mark + ("note" if one == ONE else "") for mark, one in marks)
        return Completed(words, 1, said, GONE, 0.1)

    monkeypatch.setattr(libvirt_virsh, "run", run)
    return asked


def test_a_vm_that_goes_while_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, BOTH, LEFT)
    (one,) = Libvirt("sbx").vms().values()
    assert (one.name, one.uuid, one.power, one.note) == ("sbx-one", ONE, Power.RUNNING, "note")
    assert len(asked) == 3


def test_a_vm_without_a_description_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, BOTH, BOTH)
    one, two = Libvirt("sbx").vms().values()
    assert (one.note, two.note) == ("note", "")
    assert (two.name, two.uuid, two.power) == ("sbx-two", TWO, Power.STOPPED)


def test_all_that_have_one_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(answer(monkeypatch, LEFT)) == 0
    assert list(Libvirt("sbx").vms()) == ["sbx-one"]
