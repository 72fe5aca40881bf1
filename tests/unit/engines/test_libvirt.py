"""virsh, as it behaves when somebody else is at work on the same host."""

from typing import Any

import pytest

from sandbox.engines import vagrant_libvirt
from sandbox.engines.base import Power
from sandbox.engines.vagrant_libvirt import Libvirt
from sandbox.errors import CommandError, ProviderError
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


def answer(monkeypatch: pytest.MonkeyPatch, failures: int, stderr: str = GONE) -> list[str]:
    """A virsh that lists two domains, the second of which goes while it is asked about them.

    The list has both that many times; without `stderr` virsh takes no notice.
    """
    asked: list[str] = []

    def run(words: tuple[str, ...], **_: Any) -> Completed:
        asked.append(words[4])
        gone = len(asked) > 2 * failures
        if words[4].startswith("list"):
            return Completed(words, 0, LEFT if gone else BOTH, "", 0.1)
        if not gone and stderr:
            raise CommandError("failed", returncode=1, stdout=f"=={ONE}note\n", stderr=stderr)
        return Completed(words, 0, f"=={ONE}note\n", "", 0.1)

    monkeypatch.setattr(vagrant_libvirt, "run", run)
    return asked


@pytest.mark.parametrize("stderr", [GONE, ""])
def test_a_vm_that_goes_while_they_are_listed(stderr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, 2, stderr)
    (one,) = Libvirt("sbx").vms().values()
    assert (one.name, one.uuid, one.power, one.note) == ("sbx-one", ONE, Power.RUNNING, "note")
    assert len(asked) == 6


@pytest.mark.parametrize(
    ("stderr", "questions"), [(GONE, 10), ("error: cannot reach the daemon\n", 2)]
)
def test_a_list_that_fails_is_given_up_with_its_own_words(
    stderr: str, questions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, 99, stderr)
    with pytest.raises(ProviderError, match="libvirt failed") as caught:
        Libvirt("sbx").vms()
    assert stderr.strip() in caught.value.details
    assert len(asked) == questions
