"""How R sorts."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, RSaid, Subject
from sandbox.probe.readers import word


def _letter(fields: tuple[str, ...], kind: str) -> None:
    word(fields[0], kind, of=("a", "A", "b", "B"))


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"sort_probe": said.column("sort_probe")}


def sorting(view: RView, _: Facts) -> Reading:
    """Return the order in which sort() puts four letters."""
    return {"": " ".join(view.sort_probe)}


_TAKES = "=letters: [abAB]\n"
SORTING = Subject(
    name="sorting",
    rank=71,
    takes=_TAKES,
    r_lines={"sort_probe": Fields(1, 1, _letter, takes="letters", required=True)},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.sort",
            Consequence.ANSWERS,
            20,
            title="how R sorts",
            how="exact",
            why="sort() and order() give another order; what takes the first of "
            "something takes another",
            bug="tidyverse/dplyr/issues/1175",
            read=sorting,
        ),
    ),
)
