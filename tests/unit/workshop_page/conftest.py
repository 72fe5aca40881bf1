"""A workshop's folder of the test's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sandbox.workflows.workshop.view.proxy.proxy_runs", lambda _: True)
    return tmp_path
