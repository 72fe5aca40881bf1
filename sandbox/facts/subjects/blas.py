"""The libraries that do R's linear algebra: BLAS and LAPACK."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_r
from sandbox.facts.making import Change, Made, Making, Unsaid
from sandbox.facts.part import FactsPart
from sandbox.facts.r_lines import Fields
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, Hashes, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.readers import MalformedError

_FAMILIES = (
    ("openblas", "openblas"),
    ("flexiblas", "flexiblas"),
    ("atlas", "atlas"),
    ("mkl", "mkl"),
    ("blis", "blis"),
    # The one that R brings itself (libRblas.so) is the reference BLAS, too
    ("blas", "reference"),
)


_OWN = re.compile(r".*/libRblas\.so")


class OwnBlas(FactsPart):
    """The BLAS in R's own folder; Posit's portable builds have OpenBLAS there, under R's name."""

    family: Literal["openblas", "reference"]


def _a_family(fields: tuple[str, ...], _: str) -> None:
    if fields[0] not in ("openblas", "reference"):
        raise MalformedError("the family of R's own BLAS")


def _parse(said: RSaid) -> OwnBlas | None:
    found = said.one("own_blas")
    return OwnBlas.model_validate({"family": found}) if found else None


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"la_library": said.one("la_library"), "la_version": said.one("la_version")}


def blas(view: RView, _: Facts) -> Reading:
    """Name the family of libraries that does linear algebra."""
    path = blas_library(view)
    if not path:
        raise CannotReadError("this R does not say which BLAS it uses")
    return {"": _family(view, path)}


def _family(view: RView, path: str) -> str:
    own = view.get(OwnBlas)
    return own.family if own is not None and _OWN.fullmatch(path) else blas_family(path)


def blas_library(view: RView) -> str:
    """Return the path of the library; empty where this R does not say it."""
    return view.external_software.get("BLAS") or view.la_library


def blas_family(path: str) -> str:
    """Name the family of the library at that path: `openblas`, `reference`."""
    lower = path.lower()
    return next((family for word, family in _FAMILIES if word in lower), path)


def lapack(view: RView, _: Facts) -> Reading:
    """Return LAPACK's version."""
    return {"": view.la_version} if view.la_version else {}


def _stated(plan: Plan, _: Hashes) -> Stated:
    return {"r.blas": {"": plan.r.blas}} if plan.r is not None else {}


def _makes(_: Facts, making: Making) -> Iterator[Made]:
    if making.view is None:
        return
    asked, family = _asked(making.view)
    if asked == "openblas":
        yield Change(("r", "blas"), asked)
    elif asked is None:
        yield Unsaid(f"the linear algebra library is {family}")


def _asked(view: RView) -> tuple[str | None, str]:
    """`openblas` or `reference`, or None and the name of what a box cannot ask for."""
    family = _family(view, blas_library(view))
    return (family if family in ("openblas", "reference") else None), family


BLAS = Subject(
    name="blas",
    rank=63,
    takes="=own_blas: openblas|reference\n",
    r_part=OwnBlas,
    parse_r=_parse,
    r_lines={
        "own_blas": Fields(1, 1, _a_family, takes="own_blas"),
        "la_library": Fields(1, 1, takes="library"),
        "la_version": Fields(1, 1, takes="version"),
    },
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.blas",
            Consequence.ANSWERS,
            110,
            title="the linear algebra library (BLAS)",
            how="exact",
            why="sums are made in another order: last digits differ, and signs of "
            "eigenvectors with them",
            bug="haskell-numerics/hmatrix/issues/288",
            read=blas,
        ),
        kind_of_r(
            "r.lapack",
            Consequence.ANSWERS,
            120,
            title="LAPACK's version",
            how="version",
            why="a decomposition that converged may not, or in another order",
            bug="OpenMathLib/OpenBLAS/issues/4324",
            read=lapack,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
