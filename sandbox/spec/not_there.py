"""Requests that a box makes in another way than people try, with a message for each.

Without this module, a message would blame the letters of a name, and people would try others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.spec.problem import code
from sandbox.spec.services import Services
from sandbox.spec.shiny_directives import DIRECTIVES, OTHERWISE, PRO_ONLY

_NAME = r"[A-Za-z][A-Za-z0-9.]*"
_VERSIONED: Final = re.compile(rf"({_NAME})\s*(?:@|_(?=[0-9])|\(?\s*(?:[=<>!~]=?=?))\s*\S.*")
_REMOTE: Final = re.compile(
    rf"(?:(?:github|gitlab|bitbucket|git|svn|url|local)::.*|(?:https?|git|ssh|file)://.*|git@.*"
    rf"|[\w.-]+/(?:[\w.-]*/)*({_NAME})?(?:[@#].*)?(?:\.git)?)"
)
_KIND: Final = re.compile(rf"(?:cran|bioc|any|standard)::({_NAME}).*", re.IGNORECASE)
_SHAPES: Final = (
    (_KIND, "where a package is from"),
    (_REMOTE, "a package from elsewhere"),
    (_VERSIONED, "a version of a package"),
)
_DEBIAN: Final = re.compile(r"r-(cran|bioc|other)-([a-z0-9.+-]+)")

_EXACTLY: Final = (
    "an renv.lock (`source: renv`) says versions, and GitHub; a day's snapshot "
    "(`source: repository` with `date`) has one version of each"
)
_SOURCES: Final = "There is `debian`, `repository`, `renv` or `folder`"


@dataclass(frozen=True)
class Refusal:
    """Why a thing is not available, and what is available."""

    message: str
    suggestion: str = ""


def package_refusal(text: str) -> Refusal | None:
    """Say what a line of `r.packages.names` means that is no bare name; None when not known."""
    text = text.strip()
    if found := _DEBIAN.fullmatch(text):
        if found[1] != "cran":
            return Refusal(
                f"{code(text)} is the name of a Debian package", "Put it under `system.packages`"
            )
        return Refusal(f"{code(text)} is Debian's name", "Write R's own name: DT, not r-cran-dt")
    for shape, what in _SHAPES:
        if found := shape.fullmatch(text):
            message = f"{what} cannot be asked for, as {code(text)} does: {_EXACTLY}"
            return Refusal(message, f"Write the name alone: {found[1]}" if found[1] else "")
    parts = re.split(r"[\s,;]+", text)
    if len(parts) > 1 and all(re.fullmatch(_NAME, part) for part in parts):
        return Refusal(
            f"these are {len(parts)} packages in one text", f"Write a list: [{', '.join(parts)}]"
        )
    return None


_SNAPSHOT_HELP: Final = "Write `source: repository`, `repository: URL` and `date: YYYY-MM-DD`"
_LOCK_HELP: Final = "Write `source: renv` and `lock: renv.lock`"
_KEYS: Final = {
    **dict.fromkeys(("snapshot", "cran", "repos", "ppm", "rspm"), _SNAPSHOT_HELP),
    **dict.fromkeys(("renv", "renv_lock", "lockfile"), _LOCK_HELP),
    **dict.fromkeys(
        ("bioconductor", "bioc", "github", "remotes", "gitlab", "git", "url"),
        f"Bioconductor and GitHub come from an renv.lock. {_LOCK_HELP}",
    ),
    **dict.fromkeys(("version", "versions"), f"For versions of packages, {_EXACTLY}"),
}
"""Keys of `r.packages` that people look for, and what a box says in their place."""
_UNDER_PACKAGES: Final = frozenset({*_KEYS, "lock", "date"} - {"version", "versions", "repos"})
"""The same, where they are looked for beside `r.packages`."""


def key_refusal(loc: Sequence[str | int]) -> Refusal | None:
    """Say why there is no such key, when people look for it and a box does not have it yet."""
    *section, key = loc
    unknown = f"unknown key {code(str(key))}"
    if section == ["r", "packages"] and key in _KEYS:
        return Refusal(unknown, _KEYS[str(key)])
    if section == ["r"] and key in _UNDER_PACKAGES:
        return Refusal(unknown, f"It belongs under `r.packages`. {_KEYS.get(str(key), '')}".strip())
    if section[:2] == ["services", "shiny_server"]:
        return _shiny_refusal(str(key))
    if section == ["services"] and "rstudio" in str(key).lower():
        known = ", ".join(sorted(Services.model_fields))
        return Refusal(unknown, f"A box cannot ask for RStudio Server yet. Known here: {known}")
    return None


def _shiny_refusal(key: str) -> Refusal | None:
    """Say what is in the place of a directive that the open-source edition does not have."""
    unknown = f"unknown key {code(key)}"
    if key in PRO_ONLY:
        return Refusal(
            f"{unknown}: only Shiny Server Pro has it",
            "Leave it out: Debian's is the open-source edition, which ends at this directive",
        )
    if key in OTHERWISE:
        return Refusal(unknown, OTHERWISE[key])
    if key in DIRECTIVES:
        places = " and of ".join(_PLACES[one] for one in DIRECTIVES[key].places)
        return Refusal(f"{code(key)} cannot stand here", f"It is a key of {places}")
    return None


_PLACES: Final = {"top": "`shiny_server`", "server": "`servers[]`", "location": "`locations[]`"}


def source_refusal(loc: Sequence[str | int]) -> Refusal | None:
    """Say why R or its packages cannot come from there."""
    if list(loc) == ["r", "packages", "source"]:
        return Refusal("there is no such source of R packages", _SOURCES)
    if list(loc) == ["r", "source"]:
        return Refusal(
            "R comes from the base's Debian (`debian`), or from Posit's builds (`posit`)",
            '`source: posit` has every version since R 4.0: name it in full, such as "4.4.1"',
        )
    return None
