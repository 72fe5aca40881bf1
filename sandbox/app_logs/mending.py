"""Advice for an app that fails: the line to add to its box, where that helps."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from sandbox.app_files import TooMuchError, UnreadableError, app_files
from sandbox.app_logs.r_errors import LastError
from sandbox.app_logs.r_words import NO_FILE, NO_FUNCTION, NO_MEMORY, NO_PACKAGE, RWords
from sandbox.errors import SandboxError
from sandbox.placement import Placement
from sandbox.plan import Plan, PlannedApp
from sandbox.spec.load import load_box
from sandbox.spec.problem import printable, short

_LIBRARY = re.compile(r"(?P<file>lib[A-Za-z0-9_.+-]+?\.so(?:\.[0-9]+)*): cannot open shared object")
_SONAME = re.compile(r"(?P<stem>lib.+?)\.so\.(?P<version>[0-9]+)")
_R_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
_VERSIONS = re.compile(
    # R's words for packages and versions that do not fit; almost every language has the same words
    r"is being loaded, but >=? ?\S+ is required|was (?:built|installed) before R|needs R >=|"
    r"was built for |This is R [0-9.]+, package|is required by|under a different (?:version|R)"
)
_DENIED = re.compile(r"Permission denied")
_KILLED = re.compile(r"\bKilled\b")


@dataclass(frozen=True)
class Failure:
    """An app that failed, with all that is known about the failure."""

    placement: Placement
    app: PlannedApp
    text: str
    """The whole end of the log: a package that `require()` did not find stands far above."""
    error: LastError
    words: RWords
    out_of_memory: bool
    by_hand: bool = False
    """Whether somebody has changed the app on the machine: it is not the box's app any more."""

    @property
    def plan(self) -> Plan:
        """The plan of the app's sandbox."""
        return self.placement.plan

    def place(self, *loc: str | int) -> str:
        """Name the place in the box: `shiny.yml:31`; only the file when it cannot be read now."""
        try:
            loaded = load_box(self.plan.box_path, root=self.plan.box_root)
            return loaded.place_of(*loc)
        except (SandboxError, OSError):
            return short(self.plan.box_path)


def mend(failure: Failure) -> str:
    """Choose the advice, a line or two, with names and commands unchanged; empty without any."""
    for kind in _KINDS:
        if advice := kind(failure):
            return advice
    return ""


def _memory(failure: Failure) -> str:
    killed = not failure.error.known and _KILLED.search("\n".join(failure.error.lines))
    words = any(failure.words.names_in(one, failure.text) for one in NO_MEMORY)
    if not (failure.out_of_memory or killed or words or "bad_alloc" in failure.text):
        return ""
    name, now_mb = failure.placement.name, failure.plan.machine.memory_mb
    lead = (
        "the kernel ended it: the machine's memory is full"
        if failure.out_of_memory
        else "something has killed it, as the kernel does with what takes too much memory"
        if killed
        else "the machine's memory is full"
    )
    return (
        f"{lead}. Give it more in {failure.place('machine')}: machine: "
        f"{{memory_mb: {now_mb * 2}}} ({now_mb} now), then sandbox up {name}"
    )


def _by_hand(failure: Failure) -> str:
    if not failure.by_hand:
        return ""
    return (
        f"sandbox up {failure.placement.name} (puts the box's app back: what is served was "
        "changed on the machine, by hand)"
    )


def _package(failure: Failure) -> str:
    names = [
        one for one in failure.words.names_in(NO_PACKAGE, failure.text) if _R_NAME.fullmatch(one)
    ]
    plan = failure.plan
    planned = plan.r.default_packages.names if plan.r is not None else ()
    absent = [name for name in names if name not in planned]
    if absent:
        other = {one.lower(): one for one in planned}
        wrong = [f"{other[one.lower()]}, not {one}" for one in absent if one.lower() in other]
        if wrong:
            return f"R tells capitals from small letters; the box has {', '.join(wrong)}"
        what = ", ".join(absent)
        if plan.r is not None and plan.r.default_packages.source == "renv":
            return (
                f"add {what} to the project's renv.lock (in R: renv::snapshot()), "
                f"then sandbox up {failure.placement.name}"
            )
        return (
            f"add {what} to r.packages.names in {failure.place('r', 'packages', 'names')}, "
            f"then sandbox up {failure.placement.name}"
        )
    if names:
        return (
            f"the box names {', '.join(names)}, and the machine does not have it: "
            f"sandbox up {failure.placement.name} --provision"
        )
    return ""


def _library(failure: Failure) -> str:
    found = _LIBRARY.search("\n".join(failure.error.lines))
    if found is None or found["file"].startswith("lib.so"):
        return ""
    soname = _SONAME.match(found["file"])
    place = failure.place("system", "packages")
    if soname is None:
        return f"add the Debian package that has {found['file']} to system.packages in {place}"
    stem = soname["stem"].lower().replace("_", "-")
    # Debian's rule for the names of packages of shared libraries
    package = f"{stem}{'-' if stem[-1].isdigit() else ''}{soname['version']}"
    return (
        f"add the Debian package that has {found['file']}, by its name {package}, to "
        f"system.packages in {place}, then sandbox up {failure.placement.name}"
    )


def _version(failure: Failure) -> str:
    if not _VERSIONS.search("\n".join(failure.error.lines)):
        return ""
    base, rs = failure.plan.base, failure.plan.rs
    if rs and rs[0].source == "posit":
        return (
            f"the app runs on R {rs[0].version}: choose another version in {failure.place('r')}, "
            "or take out what wants another one"
        )
    return (
        f"{base.name} has R {base.r_version or '?'} and the packages that fit it: choose another "
        f"`base:` in {failure.place('base')}, or take out what wants another version"
    )


def _file(failure: Failure) -> str:
    names = failure.words.names_in(NO_FILE, "\n".join(failure.error.lines))
    if not names:
        return ""
    name, app = printable(names[0]), failure.app
    if _DENIED.search("\n".join(failure.error.lines)):
        return f"apps run as the user shiny, who may not read (or write) {name}"
    try:
        left_out = app_files(app.path, include=app.include, max_mb=app.max_mb).left_out
    except (TooMuchError, UnreadableError):
        left_out = ()
    wanted = PurePosixPath(names[0]).as_posix().removeprefix("./")
    if any(wanted == one or (one.endswith("/") and wanted.startswith(one)) for one in left_out):
        index = failure.plan.apps.index(app)
        place = failure.place("apps", index)
        return (
            f"{name} stays out of the machine: ask for it with `include: [{name}]` at the app "
            f"{app.name} in {place}, then sandbox up {failure.placement.name}"
        )
    return (
        f"{name} is not there on the machine. A path counts from the app's folder, "
        f"{short(app.path)}: put it there, then sandbox up {failure.placement.name}"
    )


def _function(failure: Failure) -> str:
    names = failure.words.names_in(NO_FUNCTION, "\n".join(failure.error.lines))
    if not names:
        return ""
    return (
        f"no package that the app has loaded has {printable(names[0])}(): is a library() missing "
        f"in {short(failure.app.path)}, or is the name misspelt?"
    )


def _silent(failure: Failure) -> str:
    if failure.error.lines:
        return ""
    return (
        f"R ended without a word. See for yourself: sandbox exec {failure.placement.name} -- "
        f"sudo -u shiny Rscript -e 'shiny::runApp(\"/srv/shiny-server/{failure.app.name}\")'"
    )


def _its_own(failure: Failure) -> str:
    if not failure.error.known:
        return ""
    return f"mend it in {short(failure.app.path)}, then sandbox up {failure.placement.name}"


_KINDS: tuple[Callable[[Failure], str], ...] = (
    _memory,
    _by_hand,
    _package,
    _library,
    _version,
    _file,
    _function,
    _silent,
    _its_own,
)
