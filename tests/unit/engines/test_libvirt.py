"""virsh, as it behaves when somebody else is at work on the same host."""

import re
from typing import Any

import pytest

from sandbox.engines import libvirt_virsh
from sandbox.engines.base import Power
from sandbox.engines.vagrant_libvirt import Libvirt
from sandbox.errors import ProviderError
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


def answer(monkeypatch: pytest.MonkeyPatch, failures: int) -> list[str]:
    """A virsh that lists two domains, the second of which goes while it is asked about them.

    The list has both that many times. As the real one, virsh ends no line of its answers.
    """
    asked: list[str] = []

    def run(words: tuple[str, ...], *, check: bool = True, **_: Any) -> Completed:
        asked.append(words[4])
        gone = len(asked) > 2 * failures
        if words[4].startswith("list"):
            return Completed(words, 0, LEFT if gone else BOTH, "", 0.1)
        assert not check
        marks = re.findall(r"echo (\S+); desc (\S+)", words[4])
        said = "".join(mark + ("note" if one == ONE else "") for mark, one in marks)
        return Completed(words, 0 if gone else 1, said, "" if gone else GONE, 0.1)

    monkeypatch.setattr(libvirt_virsh, "run", run)
    return asked


def test_a_vm_that_goes_while_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, 2)
    (one,) = Libvirt("sbx").vms().values()
    assert (one.name, one.uuid, one.power, one.note) == ("sbx-one", ONE, Power.RUNNING, "note")
    assert len(asked) == 6


def test_one_that_never_says_what_it_is_is_no_foreign_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = answer(monkeypatch, 99)
    with pytest.raises(ProviderError, match="what its domains are"):
        Libvirt("sbx").vms()
    assert len(asked) == 10
