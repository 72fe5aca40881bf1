"""Whether the R packages that were asked for can be loaded."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import Consequence, NotThereError, Reading, kind_of_r
from sandbox.facts.r_lines import Fields, named
from sandbox.facts.r_said import ENDINGS
from sandbox.facts.r_view import PackageLoad, RView
from sandbox.facts.subject import Facts, RSaid, Subject
from sandbox.probe.redact import redact_text


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"loads": _loads(said)}


def _loads(said: RSaid) -> tuple[PackageLoad, ...]:
    """Each package that was asked for, also when R ended in the middle of them."""
    loaded = said.table("loaded")
    failed = said.table("not_loaded")
    begun = said.column("loading")
    tried = frozenset(begun)
    words = redact_text("\n".join(said.last_words).strip())
    end = ENDINGS.get(said.status, "R itself ended")
    found = []
    for name in said.column("to_load"):
        if name in loaded:
            found.append(PackageLoad(name=name, ok=True, version=loaded[name]))
            continue
        error = failed.get(name) or f"{end}: {words}".removesuffix(": ")
        if name not in tried:
            error = f"not tried: {end} while it loaded {begun[-1] if begun else 'others'}"
        found.append(PackageLoad(name=name, ok=False, error=redact_text(error)))
    return tuple(found)


def loads(view: RView, _: Facts) -> Reading:
    """List the packages that were tried and do not load."""
    if not view.loads:
        raise NotThereError("no package was tried")
    return {"": frozenset(one.name for one in view.loads if not one.ok)}


LOADS = Subject(
    name="loads",
    rank=73,
    r_lines={
        "to_load": Fields(1, 1, named, takes="package"),
        "loading": Fields(1, 1, named, takes="package"),
        "loaded": Fields(2, 2, named, takes="package,version"),
        "not_loaded": Fields(2, 2),
    },
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.load",
            Consequence.FAILS,
            20,
            title="packages that do not load",
            how="set",
            why="an app that needs one of them does not start",
            bug="tidyverse/stringr/issues/441",
            read=loads,
        ),
    ),
)
