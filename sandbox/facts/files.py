"""Facts in a file, as `sandbox capture` and `sandbox probe` write them."""

import json
from pathlib import Path

from pydantic import ValidationError

from sandbox.errors import UsageError
from sandbox.facts.facts import FORMAT, Facts
from sandbox.plain_file import NotPlainError, read_plain

_LATEST_FORMAT = 1000
"""Of a number beyond it nobody can say that it counts formats."""

_MAX_BYTES = 64 * 1024 * 1024


def load_facts(path: Path) -> Facts:
    """Read the facts in a file.

    Raises:
        UsageError: it cannot be read, is something else, or is of another version.
    """
    try:
        text = read_plain(path, max_bytes=_MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: it is not UTF-8") from error
    except NotPlainError as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    found = _format(text)
    if found is not None and found != FORMAT:
        age = "an older" if found < FORMAT else "a newer"
        raise UsageError(
            f"the facts in {path} are from {age} sandbox (format {found}, this one reads {FORMAT})",
            hint="take them again: sandbox capture [USER@]HOST, or sandbox probe NAME > FILE",
        )
    try:
        return Facts.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path} does not hold the facts of a machine",
            details=f"{place}: {first['msg']}" if place else first["msg"],
            hint="sandbox capture and sandbox probe write such files",
        ) from error


def _format(text: str) -> int | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        # Whatever it is, the model says why it does not hold facts
        return None
    found = content.get("format") if isinstance(content, dict) else None
    return found if isinstance(found, int) and found in range(_LATEST_FORMAT) else None
