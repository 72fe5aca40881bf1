"""Pick the base closest to a production server."""

import re

from sandbox.facts.facts import Facts
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.r import RInstallation, main_r, posit_version, series
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases


def choose_base(facts: Facts, bases: Bases) -> tuple[Base, tuple[str, ...]]:
    """Pick the closest base and list how it differs from production.

    A base with production's release counts most if it also has production's R. If not, R's version
    counts most, because results of code depend on it. Builds of Posit's run on every base.
    """
    r = _r_of_the_base(facts)
    wanted = r.version if r is not None else None
    same_os = next((b for b in bases.values() if _is_release(b, facts)), None)
    by_r = [base for base in bases.values() if wanted and series(base.r_version) == series(wanted)]
    if same_os is not None and (wanted is None or same_os in by_r):
        base = same_os
    elif by_r:
        base = by_r[-1]
    elif same_os is not None:
        base = same_os
    else:
        base = min(bases.values(), key=lambda one: _distance(one.r_version, wanted))
    notes = []
    if base is not same_os:
        notes.append(
            f"production runs {facts[Os].name or facts[Os].id}; the nearest is {base.name}"
        )
    if wanted is not None and base.r_version != wanted:
        nearest = "" if base in by_r else "; no base has it"
        notes.append(
            f"production's R is {wanted} ({r.home if r else ''}){nearest}: "
            f"{base.name} has {base.r_version}"
        )
    return base, tuple(notes)


def _r_of_the_base(facts: Facts) -> RInstallation | None:
    """The R that only a base can give: none where Posit's is the main one."""
    r = main_r(facts)
    return r if r is not None and posit_version(r.home) is None else None


def _is_release(base: Base, facts: Facts) -> bool:
    return base.distribution == facts[Os].id and base.name == f"{facts[Os].id}-{facts[Os].version}"


def _distance(version: str, wanted: str | None) -> int:
    """Count the minor versions between two R versions; without an R, the newest base is closest."""

    def number(text: str) -> int:
        major, minor, *_ = (*re.findall(r"\d+", text), "0", "0")
        return int(major) * 100 + int(minor)

    return abs(number(version) - number(wanted)) if wanted else -number(version)
