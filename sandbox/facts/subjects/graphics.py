"""Whether R can draw a plot, and what it looks like."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields, flags
from sandbox.facts.r_view import Graphics, RView
from sandbox.facts.subject import Facts, RSaid, Subject
from sandbox.probe.redact import redact_text

_FLAGS = {"TRUE": True, "FALSE": False}


def _check(fields: tuple[str, ...], kind: str) -> None:
    flags(fields[:2], kind)


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"graphics": _graphics(said)}


def _graphics(said: RSaid) -> Graphics:
    rows = said.rows("graphics")
    if not rows:
        error = redact_text(said.one("graphics_error"))
        return Graphics(png_written=False, real_glyphs=None, error=error or None)
    written, real, *picture = rows[0]
    return Graphics(
        png_written=written == "TRUE",
        real_glyphs=_FLAGS.get(real),
        picture=(picture[0] or None) if picture else None,
    )


def plots(view: RView, _: Facts) -> Reading:
    """Tell whether a plot can be drawn, with real letters."""
    if view.graphics.error is not None:
        return {"": f"fails: {view.graphics.error}"}
    if not view.graphics.png_written:
        return {"": "writes an empty file"}
    return {"": "real letters" if view.graphics.real_glyphs else "boxes for letters"}


def picture(view: RView, _: Facts) -> Reading:
    """Return a checksum of two drawn letters."""
    return {"": view.graphics.picture} if view.graphics.picture else {}


_TAKES = "=drawing: [0-9]{1,7}-[0-9]{1,10}\n"
GRAPHICS = Subject(
    name="graphics",
    rank=72,
    takes=_TAKES,
    r_lines={
        "graphics": Fields(2, 3, _check, takes="switch,switch,drawing"),
        "graphics_error": Fields(1, 1),
    },
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.plot",
            Consequence.FAILS,
            90,
            title="whether a plot can be drawn",
            how="exact",
            why="without a font, every letter of a plot is the same box; without "
            "cairo, png() fails",
            bug="conda-forge/r-base-feedstock/issues/91",
            read=plots,
        ),
        kind_of_r(
            "r.picture",
            Consequence.FAILS,
            190,
            title="what a plot looks like, to the pixel",
            how="exact",
            why="tests that compare pictures fail; labels may be cut off",
            bug="anaconda/docker-images/issues/671",
            read=picture,
        ),
    ),
)
