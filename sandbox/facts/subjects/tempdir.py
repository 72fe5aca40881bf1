"""R's temporary folder, and whether a script in it can be run."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields, a_path, flags
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, RSaid, Subject

_FLAGS = {"TRUE": True, "FALSE": False}


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {
        "tempdir": said.one("tempdir"),
        "tempdir_exec": _FLAGS.get(said.one("tempdir_exec")),
    }


def temporary(view: RView, _: Facts) -> Reading:
    """Tell whether a script in tempdir() can be run."""
    if view.tempdir_exec is None:
        raise CannotReadError("R could not try it")
    return {"": "can be run" if view.tempdir_exec else "cannot be run"}


_TAKES = "tempdir: tempdir\n"
TEMPDIR = Subject(
    name="tempdir",
    rank=69,
    takes=_TAKES,
    r_lines={
        "tempdir": Fields(1, 1, a_path, takes="tempdir"),
        "tempdir_exec": Fields(1, 1, flags, takes="switch"),
    },
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.tempdir",
            Consequence.FAILS,
            70,
            title="scripts in tempdir()",
            how="exact",
            why="where /tmp forbids it, packages with a configure script do not "
            "install, and callr fails",
            bug="r-lib/callr/issues/192",
            read=temporary,
        ),
    ),
)
