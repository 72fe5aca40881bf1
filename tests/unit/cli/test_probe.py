"""`sandbox probe`, before it has asked a machine."""

from pathlib import Path

import pytest

from sandbox.cli.probe import probe
from sandbox.errors import UsageError


def test_of_a_sandbox_that_is_not_there_no_key_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="there is no sandbox named `gone`"):
        probe("gone")
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]
