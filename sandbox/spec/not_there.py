"""Requests that a box cannot make yet, with a message for each: CRAN, versions, GitHub, renv.

Without this module, a message would blame the letters of a name, and people would try others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.spec.problem import code
from sandbox.spec.services import Services

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

_ONLY_DEBIAN: Final = "R packages come from the base's Debian only, at its version"
_NO_CRAN: Final = (
    "there is no CRAN, renv or GitHub for a box yet",
    "R packages come from the base's Debian: `source: debian`, or leave it out",
)


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
            message = f"{what} cannot be asked for, as {code(text)} does: {_ONLY_DEBIAN}"
            return Refusal(message, f"Write the name alone: {found[1]}" if found[1] else "")
    parts = re.split(r"[\s,;]+", text)
    if len(parts) > 1 and all(re.fullmatch(_NAME, part) for part in parts):
        return Refusal(
            f"these are {len(parts)} packages in one text", f"Write a list: [{', '.join(parts)}]"
        )
    return None


_VERSION_HELP: Final = f"{_ONLY_DEBIAN}; another base has other versions"
_KEYS: Final = {
    **dict.fromkeys(("version", "versions"), ("versions of packages", _VERSION_HELP)),
    **dict.fromkeys(
        ("snapshot", "date", "cran", "repos", "bioconductor", "bioc", "ppm", "rspm"),
        ("another source of packages", _ONLY_DEBIAN),
    ),
    **dict.fromkeys(("github", "remotes", "gitlab", "git", "url"), ("GitHub", _ONLY_DEBIAN)),
    **dict.fromkeys(
        ("renv", "renv_lock", "lockfile", "lock"),
        ("renv.lock", f"{_ONLY_DEBIAN}; `sandbox init` lists what the lock file names"),
    ),
}


def key_refusal(loc: Sequence[str | int]) -> Refusal | None:
    """Say why there is no such key, when people look for it and a box does not have it yet."""
    *section, key = loc
    unknown = f"unknown key {code(str(key))}"
    if section in (["r"], ["r", "packages"]) and key in _KEYS:
        what, help_ = _KEYS[str(key)]
        return Refusal(unknown, f"A box cannot ask for {what} yet: {help_}")
    if section == ["services"] and "rstudio" in str(key).lower():
        known = ", ".join(sorted(Services.model_fields))
        return Refusal(unknown, f"A box cannot ask for RStudio Server yet. Known here: {known}")
    return None


def source_refusal(loc: Sequence[str | int]) -> Refusal | None:
    """Say why R or its packages cannot come from there."""
    if list(loc) == ["r", "packages", "source"]:
        return Refusal(*_NO_CRAN)
    if list(loc) == ["r", "source"]:
        return Refusal(
            "R comes from the base's Debian (`debian`), or from Posit's builds (`posit`)",
            '`source: posit` has every version since R 4.0: name it in full, such as "4.4.1"',
        )
    return None
