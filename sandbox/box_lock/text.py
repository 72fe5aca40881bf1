"""Lock files as text: YAML, sorted, one line for each thing, so that a small change is a small diff."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from sandbox.box_lock.model import BoxLock, MachineLock
from sandbox.errors import UsageError
from sandbox.spec.problem import box_error, short
from sandbox.spec.source import read_source
from sandbox.spec.translate import problems_by_place

SUFFIX: Final = ".lock.yml"

_HEAD: Final = "# Written by `sandbox lock`: keep it with the box. Do not edit it by hand.\n"


def lock_path(box: Path) -> Path:
    """Return the place of a box's lock file: next to the box."""
    return box.with_name(f"{box.stem}{SUFFIX}")


def lock_text(lock: BoxLock) -> str:
    """Write a lock file."""
    lines = [f"format: {lock.format}", f"sandbox: {_word(lock.sandbox)}", "machines:"]
    for name, machine in sorted(lock.machines.items()):
        lines += [f"  {_word(name)}:", *_machine(machine)]
    return _HEAD + "\n".join(lines) + "\n"


def _machine(machine: MachineLock) -> Iterator[str]:
    for key in ("date", "box", "request"):
        yield f"    {key}: {_word(getattr(machine, key))}"
    yield f"    base: {_flow(machine.base)}"
    for key in ("inputs", "debs", "from_base", "files"):
        yield from _list(key, (_flow(one) for one in getattr(machine, key)))
    yield from _list("debian_packages", map(_word, machine.debian_packages))


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
        InvalidBoxError: it is damaged; every mistake with its line.
    """
    if not path.is_file():
        raise UsageError(
            f"there is no lock file {short(path)}", hint="sandbox lock BOX writes it"
        )
    parsed = read_source(path)
    if parsed.problems or parsed.top is None:
        raise box_error(parsed.problems, path)
    try:
        return BoxLock.model_validate_json(json.dumps(parsed.top.plain()))
    except ValidationError as error:
        found = problems_by_place(error, parsed.top, BoxLock)
        raise box_error(list(found.values()), path) from None
