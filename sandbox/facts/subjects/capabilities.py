"""What R was built with."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, RSaid, Subject
from sandbox.probe.readers import flag, name

_FLAGS = {"TRUE": True, "FALSE": False}


def _check(fields: tuple[str, ...], kind: str) -> None:
    name(fields[0], kind)
    flag(fields[1], kind)


def _fields(said: RSaid) -> Mapping[str, Any]:
    found = said.table("capability")
    return {"capabilities": {name: _FLAGS.get(value) for name, value in found.items()}}


def capabilities(view: RView, _: Facts) -> Reading:
    """List what this R can do, without what needs a display at the moment."""
    return {
        name: "yes" if can else "no"
        for name, can in view.capabilities.items()
        if can is not None and name not in ("X11", "aqua", "cledit", "profmem")
    }


_TAKES = (
    "=capability: jpeg|png|tiff|tcltk|X11|aqua|http/ftp|sockets|libxml|fifo|cledit"
    "|iconv|NLS|Rprof|profmem|cairo|ICU|long[.]double|libcurl|magick\n"
)
CAPABILITIES = Subject(
    name="capabilities",
    rank=61,
    takes=_TAKES,
    r_lines={"capability": Fields(2, 2, _check, takes="capability,switch")},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.capability",
            Consequence.FAILS,
            100,
            title="what R was built with",
            how="exact",
            why="png(), cairo or libcurl that is not built in fails when it is first called",
            bug="IRkernel/IRkernel/issues/680",
            read=capabilities,
        ),
    ),
)
