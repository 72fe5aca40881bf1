"""How R makes random numbers."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields, named
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, RSaid, Subject


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"rng_kind": said.column("rng_kind")}


def random_numbers(view: RView, _: Facts) -> Reading:
    """Return the kinds of random numbers, as RNGkind() names them."""
    return {"": ", ".join(view.rng_kind)} if view.rng_kind else {}


_TAKES = (
    "=kind: Mersenne-Twister|Wichmann-Hill|Marsaglia-Multicarry|Super-Duper"
    "|Knuth-TAOCP(-2002)?|L.Ecuyer-CMRG|user-supplied|Buggy Kinderman-Ramage"
    "|Ahrens-Dieter|Box-Muller|Inversion|Kinderman-Ramage|Rounding|Rejection\n"
)
RANDOM_NUMBERS = Subject(
    name="random_numbers",
    rank=64,
    takes=_TAKES,
    r_lines={"rng_kind": Fields(1, 1, named, takes="kind")},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.rng",
            Consequence.ANSWERS,
            60,
            title="R's random numbers",
            how="exact",
            why="after the same set.seed(), sample() draws others",
            bug="workflowr/workflowr/issues/215",
            read=random_numbers,
        ),
    ),
)
