from pathlib import Path

import pytest

from sandbox.probe.keys import find_key, keep_key
from sandbox.probe.untaken import HashKey, new_key


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "sandbox" / "keys"


def test_a_key_is_found_by_what_facts_say_of_it(state: Path) -> None:
    key = new_key()
    path = keep_key(key)
    assert path.parent == state
    assert (path.stat().st_mode & 0o777, state.stat().st_mode & 0o777) == (0o600, 0o700)
    assert find_key(key.id) == key
    assert key.digits not in path.name


@pytest.mark.parametrize("key_id", [None, "", "0" * 12, "../../etc/passwd", "x\0y"])
def test_no_key_for_facts_of_another_computer(key_id: str | None) -> None:
    assert find_key(key_id) is None


def test_a_file_that_holds_another_key_is_none() -> None:
    key, other = new_key(), new_key()
    keep_key(key).write_text(f"{other.digits}\n")
    assert find_key(key.id) is None
    keep_key(key).write_bytes(b"\xff\xfe")
    assert find_key(key.id) is None


def test_it_is_kept_again_without_complaint() -> None:
    key = HashKey("0" * 32)
    keep_key(key)
    assert find_key(HashKey(keep_key(key).read_text().strip()).id) == key
