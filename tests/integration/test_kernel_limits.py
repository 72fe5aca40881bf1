"""Raising limits and taking that back, on files that stand for the kernel's own."""

from pathlib import Path

import pytest

from sandbox.host import kernel_limits
from sandbox.host.journal import ChangeKind, Journal
from sandbox.host.kernel_limits import (
    WANTED,
    WATCHERS,
    gather_limits,
    lower_limits,
    plan_limits,
    raise_limits,
)
from sandbox.host.privilege import RootAccess

KEYS = "kernel.keys.maxkeys"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(kernel_limits, "_PROC", tmp_path)
    monkeypatch.setattr(kernel_limits, "_changeable", lambda: True)
    monkeypatch.setattr(kernel_limits, "settings_file", lambda _: str(tmp_path / "60.conf"))
    for key, value in ((WATCHERS, 128), (KEYS, 200)):
        file = tmp_path / key.replace(".", "/")
        file.parent.mkdir(parents=True)
        file.write_text(f"{value}\n")
    return tmp_path


def test_raised_and_taken_back(proc: Path) -> None:
    journal = Journal("sandbox")
    (action,) = plan_limits("sandbox", gather_limits())
    raise_limits(action, RootAccess(), journal)
    assert dict(gather_limits().values) == {WATCHERS: WANTED[WATCHERS], KEYS: WANTED[KEYS]}
    assert (proc / "60.conf").read_text() == f"{WATCHERS} = 8192\n{KEYS} = 20000\n"
    assert plan_limits("sandbox", gather_limits()) == []
    # Somebody needed even more since then
    (proc / "kernel/keys/maxkeys").write_text("1000000\n")
    lower_limits(journal.names(ChangeKind.LIMITS), RootAccess())
    assert dict(gather_limits().values) == {WATCHERS: 128, KEYS: 1_000_000}
    assert not (proc / "60.conf").exists()


def test_cut_off_half_way_the_first_values_are_kept(proc: Path) -> None:
    journal = Journal("sandbox")
    (action,) = plan_limits("sandbox", gather_limits())
    journal.intend(ChangeKind.LIMITS, action.names)
    (proc / "fs/inotify/max_user_instances").write_text("8192\n")
    (rest,) = plan_limits("sandbox", gather_limits())
    raise_limits(rest, RootAccess(), journal)
    lower_limits(journal.names(ChangeKind.LIMITS), RootAccess())
    assert dict(gather_limits().values) == {WATCHERS: 128, KEYS: 200}
