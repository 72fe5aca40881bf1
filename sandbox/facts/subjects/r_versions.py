"""Which Rs a box asks for that makes a machine like the one that was seen."""

from collections.abc import Iterator, Sequence

from sandbox.facts.making import Change, Made, Making, Unsaid
from sandbox.facts.subject import Facts, Subject
from sandbox.facts.subjects.packages import SystemPackages
from sandbox.facts.subjects.r import (
    RInstallation,
    RInstallations,
    main_r,
    posit_version,
    series,
)
from sandbox.spec.posit_r import posit_builds

_SYSTEM_HOMES = ("/usr/lib/R", "/usr/lib64/R")


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    main = main_r(facts)
    if main is None:
        return
    makeable = makeable_rs(facts)
    if len(makeable) == 1:
        yield from _made_r(main, making, ("r",))
    else:
        for number, one in enumerate(makeable):
            place = ("r", "versions", str(number))
            yield from _made_r(one, making, place)
            if one is main:
                yield Change((*place, "default"), "true")
    yield from _notes(facts, making, makeable)


def makeable_rs(facts: Facts) -> list[RInstallation]:
    """List the Rs that a box can ask for, in its order: the main one first."""
    main = main_r(facts)
    if main is None:
        return []
    # The base's R stands for a main one that is not Posit's, and there is only one such
    beside = [one for one in facts[RInstallations] if one is not main and _is_known(one)]
    if posit_version(main.home) is None:
        beside = [one for one in beside if posit_version(one.home) is not None]
    return [main, *beside]


def _is_known(one: RInstallation) -> bool:
    return one.home in _SYSTEM_HOMES or posit_version(one.home) is not None


def _made_r(one: RInstallation, making: Making, place: tuple[str, ...]) -> Iterator[Change]:
    """What asks for one R: Posit's by its full version, the base's own by the first two numbers."""
    version = posit_version(one.home)
    if version is not None:
        yield Change((*place, "version"), version)
        yield Change((*place, "source"), "posit")
    elif one.version == making.base.r_version:
        yield Change((*place, "version"), series(making.base.r_version))
    elif place != ("r",):
        yield Change((*place, "source"), "debian")


def _notes(facts: Facts, making: Making, makeable: Sequence[RInstallation]) -> Iterator[Made]:
    builds = posit_builds(making.base)
    packages = {package.name.lower() for package in facts.get(SystemPackages) or ()}
    for one in makeable:
        version = posit_version(one.home)
        if version is None:
            continue
        if builds is not None and builds.is_portable(version):
            # It has that inside, and no other
            yield Change(("r", "blas"), "openblas")
        if packages and f"r-{version}" not in packages:
            yield Unsaid(
                f"R {version} in {one.home} is not from Posit's package; the box takes that"
            )
    others = [one for one in facts[RInstallations] if one not in makeable]
    if others:
        yield Unsaid(f"more Rs: {', '.join(f'{o.version} in {o.home}' for o in others)}")
    if making.view is None:
        yield Unsaid("R did not start there, so nothing of it is known")


R_VERSIONS = Subject(name="r_versions", rank=61, makes=_makes)
