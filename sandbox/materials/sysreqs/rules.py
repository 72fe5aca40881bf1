"""From a DESCRIPTION's SystemRequirements to packages of Debian or Ubuntu.

All matching rules count. No command of a rule is ever run: a rule that would download and run
something is replaced by our overlay, or gives nothing and is told of.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

_FOLDER: Final = Path(__file__).parent


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Constraint(_Data):
    distribution: str
    versions: tuple[str, ...] = ()
    """Empty for every release."""


class _Command(_Data):
    command: str = ""
    script: str = ""


class _Dependency(_Data):
    packages: tuple[str, ...] = ()
    constraints: tuple[_Constraint, ...] = ()
    pre_install: tuple[_Command, ...] = ()

    def is_for(self, distribution: str, release: str) -> bool:
        return any(
            one.distribution == distribution and (not one.versions or release in one.versions)
            for one in self.constraints
        )


class _Rule(_Data):
    patterns: tuple[str, ...]
    dependencies: tuple[_Dependency, ...]


class _Overlay(_Data):
    replaced: Annotated[dict[str, dict[str, tuple[str, ...]]], Field(default_factory=dict)]
    """Packages by rule and distribution, in place of the rule's."""
    renamed: Annotated[dict[str, str], Field(default_factory=dict)]
    """Real packages, by the name of the virtual one in a rule."""


def matching(text: str, distribution: str, release: str) -> frozenset[str]:
    """List the packages of a distribution's release that SystemRequirements ask for.

    Args:
        text: the field; words for people, often without a match.
        distribution: debian or ubuntu.
        release: its number: 12, 22.04.
    """
    overlay = _overlay()
    found = {
        package
        for name, rule in _matched(text)
        for package in _packages(name, rule, distribution, release)
    }
    return frozenset(overlay.renamed.get(one, one) for one in found)


def without_package(text: str, distribution: str, release: str) -> tuple[str, ...]:
    """List the rules that SystemRequirements match, and that know no package of that release."""
    return tuple(
        name
        for name, rule in _matched(text)
        if not tuple(_packages(name, rule, distribution, release))
    )


def build_tools(*, is_debians_r: bool) -> frozenset[str]:
    """List the packages of the distribution that compiling an R package needs."""
    if is_debians_r:
        return frozenset({"r-base-dev"})
    # What Posit's R was built with stands in its Makeconf, and its package does not need it all
    return frozenset(
        {"g++", "gcc", "gfortran", "libbz2-dev", "libcurl4-openssl-dev", "libicu-dev"}
        | {"liblzma-dev", "libpcre2-dev", "make", "zlib1g-dev"}
    )


def _packages(name: str, rule: _Rule, distribution: str, release: str) -> Iterator[str]:
    replaced = _overlay().replaced.get(name)
    if replaced is not None:
        yield from replaced.get(distribution, ())
        return
    for one in rule.dependencies:
        # Without its commands (another archive, a download) its packages are not to be had
        if one.is_for(distribution, release) and not one.pre_install:
            yield from one.packages


def _matched(text: str) -> Iterator[tuple[str, _Rule]]:
    if not text.strip():
        return
    for name, (rule, patterns) in _rules().items():
        if any(pattern.search(text) for pattern in patterns):
            yield name, rule


@cache
def _rules() -> dict[str, tuple[_Rule, tuple[re.Pattern[str], ...]]]:
    said = json.loads((_FOLDER / "rules.json").read_text("utf-8"))
    rules = {name: _Rule.model_validate(one) for name, one in said.items()}
    return {
        name: (rule, tuple(re.compile(one, re.IGNORECASE) for one in rule.patterns))
        for name, rule in rules.items()
    }


@cache
def _overlay() -> _Overlay:
    return _Overlay.model_validate_json((_FOLDER / "overlay.json").read_text("utf-8"))
