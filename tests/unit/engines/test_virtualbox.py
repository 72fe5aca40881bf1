"""VBoxManage, as it behaves when somebody else is at work on the same host."""

from typing import Any

import pytest

from sandbox.engines import virtualbox_manage
from sandbox.engines.vagrant_virtualbox import VirtualBox
from sandbox.errors import CommandError, HostError, ProviderError
from sandbox.run import Completed

GONE = "VBoxManage: error: Could not find a registered machine with UUID {…}\n"
LONG = """Name:            sbx-one
Groups:          /
Guest OS:        Debian (64-bit)
UUID:            0b4e7a0c-6e0b-4a55-9f0b-0123456789ab
Config file:     /vms/sbx-one/sbx-one.vbox
State:           powered off (since 2026-11-22T16:00:00.000000000)
"""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    return []


def answer(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]], failures: int, code: int = 1
) -> None:
    """A VBoxManage whose lists fail so many times."""

    def run(words: tuple[str, ...], **_: Any) -> Completed:
        calls.append(words[1:])
        lists = [one for one in calls if one[0] == "list"]
        if words[1] == "list" and len(lists) <= failures:
            stderr = GONE if code == 1 else ""
            raise CommandError("failed", returncode=code, stdout="", stderr=stderr)
        said = LONG if words[1] == "list" else "No value set!\n"
        return Completed(words, 0, said, "", 0.1)

    monkeypatch.setattr(virtualbox_manage, "run", run)


def test_a_vm_that_goes_while_they_are_listed(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]]
) -> None:
    answer(monkeypatch, calls, failures=2)
    assert list(VirtualBox("sbx").vms()) == ["sbx-one"]
    assert [one[0] for one in calls] == ["list", "list", "list", "getextradata"]


def test_a_list_that_always_fails_is_given_up_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]]
) -> None:
    answer(monkeypatch, calls, failures=99)
    with pytest.raises(ProviderError, match="VirtualBox failed: list") as caught:
        VirtualBox("sbx").vms()
    assert "Could not find a registered machine" in caught.value.details
    assert len(calls) == 5


def test_without_virtualbox_nothing_is_tried_twice(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]]
) -> None:
    answer(monkeypatch, calls, failures=99, code=127)
    with pytest.raises(HostError, match="not installed"):
        VirtualBox("sbx").vms()
    assert len(calls) == 1
