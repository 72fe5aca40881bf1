"""The user's own settings, for all boxes: ~/.config/sandbox/config.yml."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from sandbox.plain_file import NO_SUCH_FILE, not_a_file
from sandbox.spec.certificate import why_no_certificate
from sandbox.spec.mirrors import Mirrors
from sandbox.spec.problem import InvalidBoxError, Problem, box_error, code, short
from sandbox.spec.source import Value, read_source
from sandbox.spec.translate import problems_by_place
from sandbox.spec.values import Model

_OTHERS: Final = 0o077


class UserConfig(Model):
    """What a user says once, for all boxes."""

    mirrors: Mirrors = Mirrors()
    """Servers that stand for public ones. A box's own value wins, key by key."""


def load_user_config(path: Path) -> UserConfig:
    """Read the file; where there is none, nothing is set. Names of files in it become absolute.

    Raises:
        InvalidBoxError: it is wrong; `problems` has everything.
    """
    if not_a_file(path) == NO_SUCH_FILE:
        return UserConfig()
    parsed = read_source(path, empty="")
    if parsed.problems:
        raise _invalid(parsed.problems, path)
    if parsed.top is None:
        return UserConfig()
    try:
        found = UserConfig.model_validate_json(json.dumps(parsed.top.plain()))
    except ValidationError as error:
        raise _invalid(problems_by_place(error, parsed.top, UserConfig).values(), path) from None
    if problems := [*_certificates(found, parsed.top), *_open_logins(found, parsed.top)]:
        raise _invalid(problems, path)
    files = tuple(str(path.parent / name) for name in found.mirrors.ca_certificates)
    mirrors = found.mirrors.model_copy(update={"ca_certificates": files})
    return found.model_copy(update={"mirrors": mirrors})


def _certificates(config: UserConfig, top: Value) -> list[Problem]:
    found = []
    for index, _ in enumerate(config.mirrors.ca_certificates):
        value = top.nearest(("mirrors", "ca_certificates", index))
        if (wrong := why_no_certificate(value.as_path())) is not None:
            found.append(value.problem(f"no certificate at {code(value.raw)}: {wrong}"))
    return found


def _open_logins(config: UserConfig, top: Value) -> list[Problem]:
    path = top.source.path
    if not config.mirrors.with_logins or not path.stat().st_mode & _OTHERS:
        return []
    message = "a login stands in this address, and others than you may read the file"
    cure = f"Run: chmod 600 {short(path)}"
    names = config.mirrors.with_logins
    return [top.nearest(("mirrors", name)).problem(message, cure) for name in names]


def _invalid(problems: Iterable[Problem], path: Path) -> InvalidBoxError:
    error = box_error(list(problems), path)
    error.hint = "mend your settings there; they count for all boxes"
    return error
