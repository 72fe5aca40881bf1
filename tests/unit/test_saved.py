"""What is no file of ours any more is named, says what mends it, and stands in nobody's way."""

import json
import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from sandbox import saved
from sandbox.errors import ExitCode
from sandbox.files import write_whole
from sandbox.saved import (
    BrokenFileError,
    KnownFiles,
    read_bytes,
    read_json,
    read_saved,
    read_text,
)


class Kept(BaseModel):
    number: int


BROKEN = {
    "no UTF-8": b'{"number": "\xff\xfe"}',
    "empty": b"",
    "half": b'{"number": ',
    "another type": b'{"number": "many"}',
    "a list": b"[]",
    "null": b"null",
    "too deep": b'{"number": ' + b"[" * 100_000,
    "a huge number": b'{"number": ' + b"9" * 10_000 + b"}",
    "half a character": b'{"number": "\\ud800"}',
    "NUL": b"\x00" * 100,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_holds_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kept.json"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError) as caught:
        read_saved(path, Kept)
    assert caught.value.exit_code is ExitCode.HOST
    assert str(path) in caught.value.message
    assert f"mv {path}" in caught.value.hint
    assert "many" not in caught.value.details


@pytest.mark.parametrize("name", ["no UTF-8", "empty", "half", "too deep", "a huge number", "NUL"])
def test_what_is_no_json_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "kept.json"
    path.write_bytes(BROKEN[name])
    with pytest.raises(BrokenFileError):
        read_json(path)


def test_what_is_nested_and_still_read_by_python_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("[" * 150 + "]" * 150)
    with pytest.raises(BrokenFileError, match="broken") as caught:
        read_json(path)
    assert "nested" in caught.value.details


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text('{"number": 7}')
    assert read_saved(path, Kept) == Kept(number=7)
    assert read_json(path) == {"number": 7}
    assert read_text(path) == '{"number": 7}'
    for missing in (tmp_path / "none", path / "below"):
        assert read_saved(missing, Kept) is None
        assert read_json(missing) is None


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in (".", "pipe", "loop", "device"):
        with pytest.raises(BrokenFileError):
            read_bytes(tmp_path / name)


def test_a_file_without_an_end_is_not_read_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.json"
    path.write_text(json.dumps({"number": 1, "rest": "x" * 2000}))
    monkeypatch.setattr(saved, "LARGEST_BYTES", 1000)
    with pytest.raises(BrokenFileError) as caught:
        read_saved(path, Kept, message="the plan cannot be read", hint="sandbox destroy x")
    assert caught.value.message == "the plan cannot be read"
    assert caught.value.hint == "sandbox destroy x"


def test_a_known_file_is_read_again_only_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Text(str):
        read = 0

        @classmethod
        def model_validate_json(cls, json_data: bytes) -> "Text":
            cls.read += 1
            return cls(json_data.decode())

    path, known = tmp_path / "a.json", KnownFiles()
    assert known.read(path, Text) is None
    write_whole(path, "one")
    # Just written: it may be written again at what the kernel takes for the same moment
    assert (known.read(path, Text), known.read(path, Text), Text.read) == ("one", "one", 2)
    later = path.stat().st_mtime_ns + 3600 * 10**9
    monkeypatch.setattr("sandbox.saved.time.time_ns", lambda: later)
    assert (known.read(path, Text), known.read(path, Text), Text.read) == ("one", "one", 3)
    write_whole(path, "two")
    assert (known.read(path, Text), known.read(path, Text), Text.read) == ("two", "two", 4)
    path.unlink()
    assert known.read(path, Text) is None
