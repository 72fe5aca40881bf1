"""Lock files as text: YAML, sorted, a line for each thing: a small change is a small diff."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from sandbox.box_lock.model import BoxLock, MachineLock
from sandbox.errors import BoxError, UsageError
from sandbox.plain_file import NotPlainError, read_plain
from sandbox.spec.file_kind import LOCK_SUFFIX
from sandbox.spec.problem import Problem, short
from sandbox.spec.source import parse_source
from sandbox.spec.translate import problems_by_place

_MAX_BYTES: Final = 20_000_000
_MOST: Final = 20
"""So many problems are shown."""

_HEAD: Final = "# Written by `sandbox lock`: keep it with the box. Do not edit it by hand.\n"


def lock_path(box: Path) -> Path:
    """Return the place of a box's lock file: next to the box."""
    return box.with_name(f"{box.stem}{LOCK_SUFFIX}")


def lock_text(lock: BoxLock) -> str:
    """Write a lock file."""
    lines = [f"format: {lock.format}", f"sandbox: {_word(lock.sandbox)}", "machines:"]
    for name, machine in sorted(lock.machines.items()):
        lines += [f"  {_word(name)}:", *_machine(machine)]
    return _HEAD + "\n".join(lines) + "\n"


def _machine(machine: MachineLock) -> Iterator[str]:
    yield f"    date: {_word(machine.date)}"
    yield f"    base: {_flow(machine.base)}"
    for key in ("inputs", "debs", "from_base", "files"):
        yield from _list(key, (_flow(one) for one in getattr(machine, key)))
    for key in ("debian_packages", "left_out"):
        yield from _list(key, map(_word, getattr(machine, key)))


def _list(key: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"      - {item}" for item in items]
    yield f"    {key}:" if lines else f"    {key}: []"
    yield from lines


def _flow(model: BaseModel) -> str:
    content = model.model_dump(mode="json", exclude_defaults=True)
    pairs = (f"{key}: {_word(value)}" for key, value in content.items())
    return f"{{{', '.join(pairs)}}}"


def _word(value: object) -> str:
    # JSON is YAML, and quotes whatever YAML could take for something else
    return json.dumps(value, ensure_ascii=True)


def read_lock(path: Path) -> BoxLock:
    """Read a lock file.

    Raises:
        UsageError: there is none.
        BoxError: it is damaged; every mistake with its line.
    """
    if not path.is_file():
        raise UsageError(f"there is no lock file {short(path)}", hint="sandbox lock BOX writes it")
    try:
        text = read_plain(path, max_bytes=_MAX_BYTES).decode("utf-8")
    except (NotPlainError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise _broken(path, [Problem(path, 0, "", why)]) from error
    parsed = parse_source(path, text, empty="it is empty")
    if parsed.problems or parsed.top is None:
        raise _broken(path, parsed.problems)
    try:
        return BoxLock.model_validate_json(json.dumps(parsed.top.plain()))
    except ValidationError as error:
        found = problems_by_place(error, parsed.top, BoxLock)
        raise _broken(path, list(found.values())) from None


def _broken(path: Path, problems: list[Problem]) -> BoxError:
    number = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    return BoxError(
        f"the lock file {short(path)} has {number}",
        details="\n".join(str(one) for one in problems[:_MOST]),
        hint="sandbox lock BOX writes it anew; or take the one that your repository has",
    )
