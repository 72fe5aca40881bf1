"""From names and an index: every package that is needed, and an order to install them in."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.materials.packages.index import Index, IndexRecord
from sandbox.materials.packages.versions import Requirement
from sandbox.materials.packages.with_r import RECOMMENDED
from sandbox.spec.problem import code

_R: Final = "R"


@dataclass(frozen=True)
class Chosen:
    """What is to be installed, or why not all of it can be."""

    records: tuple[IndexRecord, ...]
    """Sorted by name."""
    left_out: tuple[str, ...] = ()
    """Names that the repository does not have, and that may be missing."""
    problems: tuple[str, ...] = ()


class _Choice:
    def __init__(self, index: Index, r_version: str, with_r: frozenset[str]) -> None:
        self.index, self.r_version, self.with_r = index, r_version, with_r
        self.chosen: dict[str, IndexRecord] = {}
        self.problems: list[str] = []
        self._told: set[str] = set()

    def add(self, name: str) -> None:
        """Choose a package and all that it needs."""
        waiting = [(name, Requirement(name), "")]
        while waiting:
            name, wanted, by = waiting.pop()
            if self._comes_with_r(wanted, asked=not by):
                continue
            if (record := self.chosen.get(name)) is None:
                record = self.index.newest(name, self.r_version)
                if record is None:
                    self._tell(self._absent(name, by))
                    continue
                self.chosen[name] = record
                waiting += [
                    (one.name, one, f"{record.name} {record.version}")
                    for one in record.needs
                    if one.name != _R
                ]
            if not wanted.holds(record.version):
                self._tell(f"{by} needs {wanted}, and the repository has {name} {record.version}")

    def _comes_with_r(self, wanted: Requirement, *, asked: bool) -> bool:
        if wanted.name not in self.with_r:
            return False
        # Which version of a recommended package this R has is not known before it is there
        return wanted.name not in RECOMMENDED or not (asked or wanted.operator)

    def _absent(self, name: str, by: str) -> str:
        needed = f", which {by} needs" if by else ""
        others = self.index.versions(name)
        if others:
            newest = others[0]
            which = next((str(one) for one in newest.needs if one.name == _R), "another R")
            return (
                f"{name} {newest.version}{needed}: it needs {which}, and this R is "
                f"{self.r_version}. An earlier `date` has a version for this R"
            )
        perhaps = self.index.nearest(name)
        return f"the repository does not have {code(name)}{needed}. {perhaps}".removesuffix(". ")

    def _tell(self, problem: str) -> None:
        if problem not in self._told:
            self._told.add(problem)
            self.problems.append(problem)


def choose(
    names: Iterable[str], index: Index, *, r_version: str, with_r: frozenset[str], may_skip: bool
) -> Chosen:
    """Choose the newest version of each package, and of all that it needs, that runs on that R.

    Args:
        names: the packages that the box names.
        index: what the repository has.
        r_version: the R, complete.
        with_r: the packages that come with it.
        may_skip: whether a name that the repository does not have is left out.
    """
    choice = _Choice(index, r_version, with_r)
    left_out = []
    for name in dict.fromkeys(names):
        if may_skip and name not in with_r and not index.versions(name):
            left_out.append(name)
        else:
            choice.add(name)
    records = sorted(choice.chosen.values(), key=lambda one: one.name)
    return Chosen(tuple(records), tuple(left_out), tuple(choice.problems))


class CircleError(Exception):
    """Packages need each other in a circle: none can be the first."""


def in_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Order names so that each comes after those that it needs.

    Raises:
        CircleError: there is no such order; the message names the circle.
    """
    done: dict[str, bool] = {}
    order: list[str] = []
    for start in sorted(needs):
        # By hand and not by recursion: a chain of needs can be long
        path: list[tuple[str, Iterator[str]]] = []
        _enter(start, needs, done, path)
        while path:
            name, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                done[name] = True
                order.append(name)
            elif done.get(following) is False:
                circle = [one for one, _ in path]
                circle = [*circle[circle.index(following) :], following]
                raise CircleError(" needs ".join(circle))
            else:
                _enter(following, needs, done, path)
    return order


def _enter(
    name: str,
    needs: Mapping[str, Iterable[str]],
    done: dict[str, bool],
    path: list[tuple[str, Iterator[str]]],
) -> None:
    if name in done:
        return
    done[name] = False
    path.append((name, iter(sorted(one for one in needs[name] if one in needs))))


def unmet(
    name: str,
    needs: Iterable[Requirement],
    version_of: Callable[[str], str | None],
    *,
    r_version: str,
    with_r: frozenset[str],
) -> Iterator[str]:
    """Say which needs of a package the others do not meet.

    Args:
        name: the package, with its version.
        needs: what its DESCRIPTION says.
        version_of: the version of a package that will be there; None when it will not.
        r_version: the R, complete.
        with_r: the packages that come with that R.
    """
    for one in needs:
        if one.name == _R:
            if not one.holds(r_version):
                yield f"{name} needs {one}, and this R is {r_version}"
            continue
        version = version_of(one.name)
        if version is None and one.name not in with_r:
            yield f"{name} needs {one}, which is not among the packages"
        elif version is not None and not one.holds(version):
            yield f"{name} needs {one}, and {one.name} {version} is to be installed"
