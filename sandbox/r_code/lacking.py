"""Packages that a box's apps ask for and its machine will not have, with the line to add."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.app_files import TooMuchError, UnreadableError
from sandbox.r_code.app import AppCode, FoundUse, read_app
from sandbox.r_code.uses import Need
from sandbox.spec.load import LoadedBox
from sandbox.spec.problem import Problem, code, printable, short
from sandbox.spec.r import R
from sandbox.spec.r_packages import RPackageIndex, known_index

ADDS: Final = ("Make it ", "Add to ")
"""The beginnings of suggestions that give the whole line for the box."""


@dataclass(frozen=True)
class Findings:
    """What the apps' code shows about the box."""

    at_start: tuple[Problem, ...] = ()
    """The app fails as soon as it is opened, and the box can mend that."""
    later: tuple[Problem, ...] = ()
    """The app fails, at once or when it comes to that place."""
    notes: tuple[Problem, ...] = ()
    """Worth a look: the code may do without it."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong, at the start or later."""
        return (*self.at_start, *self.later)


def findings_about(loaded: LoadedBox) -> Findings:
    """Read the apps of a box, and compare what they ask for with what the box names."""
    r, shiny = loaded.box.r, loaded.box.services.shiny_server
    index = known_index(loaded.box, loaded.base.name)
    if r is None or shiny is None or index is None or not _is_debians(r):
        return Findings()
    debian = [f"r-cran-{name.lower()}" for name in r.default_packages.names]
    debian += ["shiny-server", *loaded.box.system.packages, *loaded.base.packages]
    there = index.brought_by(debian)
    found = _Found(loaded, index)
    for number, app in enumerate(loaded.box.apps):
        folder = loaded.file_at("apps", number, "path")
        try:
            read = read_app(folder, include=app.include, max_mb=app.max_mb)
        except (TooMuchError, UnreadableError):
            continue  # the box itself is told so
        found.take(app.name, read, [one for one in read.uses if one.package not in there])
    return found.told()


def _is_debians(r: R) -> bool:
    """Whether the R of the apps and its packages are Debian's: of others we know no list."""
    return r.default.source == "debian" and r.default_packages.source == "debian"


@dataclass(frozen=True)
class _Lack:
    app: str
    uses: tuple[FoundUse, ...]
    """The problem of one package, in one app."""
    brings_its_own: bool

    @property
    def package(self) -> str:
        return self.uses[0].package

    @property
    def need(self) -> Need:
        need = max(one.use.need for one in self.uses)
        return Need.MAY if self.brings_its_own else need


class _Found:
    def __init__(self, loaded: LoadedBox, index: RPackageIndex) -> None:
        self._loaded = loaded
        self._index = index
        self._lacks: list[_Lack] = []
        self._unreadable: list[Problem] = []
        self._doubtful: list[Problem] = []
        """A syntax error, reported by an R that is older than the box's."""

    def take(self, app: str, read: AppCode, missing: Sequence[FoundUse]) -> None:
        for package in dict.fromkeys(one.package for one in missing):
            uses = tuple(one for one in missing if one.package == package)
            self._lacks.append(_Lack(app, uses, read.brings_its_own))
        for one in read.unreadable:
            why = f"R cannot read this: {printable(one.why)}"
            problem = Problem(one.path, one.line, f"app {app}", why)
            wanted = tuple(int(part) for part in self._loaded.base.r_version.split(".")[:2])
            is_sure = one.r_version[:2] >= wanted
            (self._unreadable if is_sure else self._doubtful).append(problem)

    def told(self) -> Findings:
        at_start, later, notes = list[Problem](), list[Problem](), list[Problem]()
        for lack in self._lacks:
            problem = self._problem(lack)
            if lack.need is Need.MAY:
                notes.append(problem)
            elif lack.need is Need.AT_START and self._can_be_mended(lack.package):
                at_start.append(problem)
            else:
                later.append(problem)
        return Findings(tuple(at_start), (*self._unreadable, *later), (*self._doubtful, *notes))

    def _can_be_mended(self, package: str) -> bool:
        """Whether one line mends it, in the box or (a name with a wrong letter) in the app."""
        return self._index.has(package) or bool(self._index.nearest(package))

    def _problem(self, lack: _Lack) -> Problem:
        # The most needed package says where to look
        first = max(lack.uses, key=lambda one: one.use.need)
        more = len({(one.path, one.use.line) for one in lack.uses}) - 1
        places = f" and {more} more place{'s' * (more > 1)}" if more else ""
        base = self._loaded.base.name
        how = code(first.use.how)
        if self._index.has(lack.package):
            message = f"{how}{places}: the box does not name the R package {code(lack.package)}"
            suggestion = self._line_to_add()
        else:
            message = f"{how}{places}: {base} does not have the R package {code(lack.package)}"
            suggestion = self._index.nearest(lack.package) or self._elsewhere(lack.package)
        return Problem(first.path, first.use.line, f"app {lack.app}", message, suggestion)

    def _elsewhere(self, package: str) -> str:
        if home := self._index.homes.get(package):
            return f"Add {code(home)} to `system.packages`"
        return "A box has Debian's packages only: the app must do without it"

    def _line_to_add(self) -> str:
        """The complete line for the box: lists are replaced, not merged."""
        names = self._loaded.box.r.default_packages.names if self._loaded.box.r else ()
        wanted = [
            lack.package
            for lack in self._lacks
            if self._index.has(lack.package) and lack.need is not Need.MAY
        ]
        optional = [lack.package for lack in self._lacks if self._index.has(lack.package)]
        every = ", ".join(dict.fromkeys((*names, *(wanted or optional))))
        value = self._loaded.top.get("r", "packages", "names")
        if value is None or value.source.path != self._loaded.path:
            return f"Add to {short(self._loaded.path)}: `r: {{packages: {{names: [{every}]}}}}`"
        return f"Make it `names: [{every}]` in {short(self._loaded.path)}:{value.line}"
