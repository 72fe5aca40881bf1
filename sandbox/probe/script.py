"""Put the probe together: one read-only script, from the parts of each subject of the facts.

The names of a subject's shell functions say when they run: `ports_as_root` in the file of the
subject `ports`. `PHASES` has the names of all these moments.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from sandbox.errors import UsageError
from sandbox.probe import redact
from sandbox.probe.known.program import awk_program
from sandbox.probe.untaken import HashKey

PHASES: Final = (
    "at_once",
    "beside_r",
    "as_root",
    "r_as_root",
    "hidden",
    "without_root",
)
"""When a function of a subject runs; order.sh says what each phase means."""

# A view is tried twice at worst (a login's and an app's at the same time), and the rest runs too
_R_SHARE = 3
# These replace the functions of the same names
_WITHOUT_R = """
probe_r_login() { unseen "R in a login" "not asked for"; }
probe_r_shiny() { unseen "R inside a Shiny app" "not asked for"; }
probe_r_rstudio() { has_rstudio && unseen "R inside an RStudio session" "not asked for"; }
"""
_PACKAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*")


@dataclass(frozen=True)
class Taking:
    """What may leave the machine."""

    key: HashKey | None = None
    """The key of the hashes that replace values which are not taken; None for no hashes."""
    own: bool = False
    """Whether it is a machine of ours, made from a box: its messages are shown, except for lines
    that look like a secret. Of other machines only known words are shown."""
    names: tuple[str, ...] = ()
    """Variables, options and keys that the user asked for: their values are always taken."""
    files: tuple[str, ...] = ()
    """Paths of files that are taken whole."""


CLOSED: Final = Taking()
"""Only harmless values, and no hash of the rest."""


@dataclass(frozen=True)
class Shell:
    """The shell code of one subject."""

    subject: str
    text: str


@dataclass(frozen=True)
class Fragments:
    """The parts that the subjects add to the probe."""

    shell: tuple[Shell, ...] = ()
    r: tuple[str, ...] = ()
    """Code about R, run before the end of the facts is printed."""
    r_late: tuple[str, ...] = ()
    """Code that takes long: if R is stopped there, it has printed all the rest."""
    names: str = ""
    """Rules for values under names of one subject: lines as in known/names.txt."""
    modes: tuple[str, ...] = ()
    """Awk code of subjects that read a table in a mode of their own."""
    r_fields: Mapping[str, str] | None = None
    """Kind of a line of R's to the meaning of its fields (names of known/names.txt)."""


def compose(
    boundary: str,
    fragments: Fragments,
    *,
    taking: Taking = CLOSED,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    with_r: bool = True,
    timeout_s: float = 60,
) -> str:
    """Compose the whole text for `sh -s`.

    Raises:
        UsageError: `load_packages` has a name that R does not allow, or `taking` a wrong name.
    """
    for name in load_packages:
        if not _PACKAGE_NAME.fullmatch(name):
            raise UsageError(f"`{name}` is not the name of an R package")
    loads = shlex.quote(" ".join(load_packages))
    program = holding_back(fragments, taking)
    settings = f"B={boundary}\nR_TIMEOUT={max(1, int(timeout_s // _R_SHARE))}\n"
    settings += f"KEY={taking.key.digits if taking.key else ''}\nOWN={int(taking.own)}\n"
    settings += f"HIDE={shlex.quote(redact.sed_program())}\n"
    settings += f"TAKE={shlex.quote(program)}\n"
    settings += f"PROBE_R={shlex.quote(_r_text(fragments))}\n"
    functions = _functions(fragments)
    if not with_r:
        functions += _WITHOUT_R
    # `</dev/null`: the rest of standard input is this text itself, and no program may read it
    for_root = f"{settings}{functions}\nprobe_as_root {loads} </dev/null\n"
    sudo = "sudo" if use_sudo else "no-sudo"
    return (
        f"{settings}PROBE_ROOT={shlex.quote(for_root)}\n{functions}\n"
        f"probe_everything {loads} {sudo} </dev/null\n"
    )


def holding_back(fragments: Fragments, taking: Taking = CLOSED) -> str:
    """Write the program for awk that holds values back on the machine.

    Raises:
        UsageError: `taking` has a name or a path that is not possible.
    """
    return awk_program(
        take_names=taking.names,
        take_files=taking.files,
        of_facts=fragments.names,
        modes=fragments.modes,
        r_fields=fragments.r_fields,
    )


def _functions(fragments: Fragments) -> str:
    parts = (_text("order.sh"), _text("take.sh"), *(one.text for one in fragments.shell))
    return "".join((*parts, *_phases(fragments.shell)))


def _phases(shells: Sequence[Shell]) -> Iterator[str]:
    """Write `each_as_root`, which calls every subject's `…_as_root`, and so on."""
    for phase in PHASES:
        names = [f"{one.subject}_{phase}" for one in shells]
        texts = "\n".join(one.text for one in shells)
        calls = [name for name in names if f"\n{name}() {{\n" in texts]
        lines = "".join(f'    {name} "$@"\n' for name in calls) or "    :\n"
        yield f"each_{phase}() {{\n{lines}}}\n"


def _r_text(fragments: Fragments) -> str:
    text = _text("probe.R").replace("#@ SUBJECTS\n", "".join(fragments.r))
    text = text.replace("#@ LATE SUBJECTS\n", "".join(fragments.r_late))
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="ascii")
