"""Configuration files of R, of its servers, and of what logins are given."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.making import Made, Making, Unsaid
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.r_lines import Fields, a_path
from sandbox.facts.shapes import MOST_LINES, Shape, check_settings
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.facts.subjects.r import r_view, without_r
from sandbox.facts.unsaid import pairs
from sandbox.probe.frame import Frame, Section, unescape
from sandbox.probe.readers import path, whole

_SITE_FILES = ("Rprofile.site", "Renviron.site", "Renviron")


class ConfigFile(FactsModel):
    """A configuration file as keys and values, secrets redacted where it was read."""

    path: str
    settings: dict[str, str]
    """`section.key` to value; of a file that is code (Rprofile.site), `line 1` to the line.
    Comments and empty lines are left out."""


class Configs(ListPart[ConfigFile]):
    """Those of R, RStudio Server, Shiny Server, Connect and the environment."""


def _check(section: Section) -> None:
    path(section.args[0], "a configuration file's path")
    check_settings(section)


def _check_code(fields: tuple[str, ...], kind: str) -> None:
    path(fields[0], kind)
    whole(fields[1], kind)


def _parse(answer: ProbeAnswer) -> Configs:
    found = (*_files(answer), *_code(answer))
    return Configs(tuple(sorted(found, key=lambda one: one.path)))


def _files(frame: Frame) -> Iterable[ConfigFile]:
    """Every configuration file, as keys and values."""
    found = {
        section.args[0]: ConfigFile(path=section.args[0], settings=_unescaped(section.pairs()))
        for section in frame.all("config")
        if section.args
    }
    return found.values()


def _code(answer: ProbeAnswer) -> Iterator[ConfigFile]:
    """Rprofile.site of each R, expression by expression, as R itself reads it."""
    code: dict[str, dict[str, str]] = {}
    for said in answer.r:
        for file, number, text in said.rows("code"):
            code.setdefault(file, {})[f"expression {number}"] = text
    return (ConfigFile(path=file, settings=code[file]) for file in sorted(code))


def _unescaped(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Keys and values as they stood in the file; the probe escapes what would break a line."""
    return {key: unescape(value) for key, value in pairs}


def site_files(facts: Facts) -> Reading:
    """Read Rprofile.site and Renviron.site of the R that people get, as sets of lines."""
    view = r_view(facts, "login") or r_view(facts, "shiny")
    if view is None:
        raise without_r(facts)
    return {
        config.path.rpartition("/")[2]: frozenset(_lines(config))
        for config in facts.get(Configs) or ()
        if config.path.endswith(_SITE_FILES) and config.path.startswith(f"{view.home}/")
    }


def configurations(facts: Facts) -> Reading:
    """Read the configuration files of servers, and what logins are given."""
    return {
        config.path: frozenset(_lines(config))
        for config in facts.get(Configs) or ()
        if not config.path.endswith(_SITE_FILES)
    }


def _lines(config: ConfigFile) -> Iterator[str]:
    for key, value in config.settings.items():
        # Of code, a line's number says nothing
        yield value.strip() if re.fullmatch(r"line \d+", key) else f"{key} = {value}"


RSTUDIO_FILES: Final = (
    *("/etc/rstudio/rserver.conf", "/etc/rstudio/rsession.conf", "/etc/rstudio/logging.conf"),
    *("/etc/rstudio/repos.conf", "/etc/rstudio/rstudio-prefs.json"),
)
"""Those that the keys of a box say."""

# And those of Shiny Server and RStudio Server, which say themselves what is in them
_SAID_ELSEWHERE: Final = (
    *("/etc/environment", *_SITE_FILES, "shiny-server.conf"),
    *RSTUDIO_FILES,
)


def _makes(facts: Facts, _: Making) -> Iterator[Made]:
    for config in facts.get(Configs) or ():
        if not config.path.endswith(_SAID_ELSEWHERE) and config.settings:
            yield Unsaid(f"{config.path} sets {pairs(config.settings)}")
        elif config.path.endswith("Rprofile.site") and _is_changed(config.settings):
            yield Unsaid(f"{config.path} was changed by hand: see the facts")


def _is_changed(settings: dict[str, str]) -> bool:
    """Debian's own sets the repository, and ours the options that a box can say."""
    lines = [line.strip() for text in settings.values() for line in text.splitlines()]
    if any("sandbox_set <- function" in text for text in settings.values()):
        settings = {k: text for k, text in settings.items() if "sandbox_set" not in text}
        lines = [line.strip() for text in settings.values() for line in text.splitlines()]
    usual = re.compile(
        r'local\(\{|r <- getOption\("repos"\)|r\["CRAN"\] <- "https://cloud\.r-project\.org"'
        r"|options\(repos ?= ?r\)|\}\)|options\(|\)|\"?[A-Za-z.]+\"? = [^(<]*,?"
        r"|options\((\"?[A-Za-z.]+\"? = [^(<]*)*\)"
    )
    return any(not usual.fullmatch(line) for line in lines)


CONFIGS = Subject(
    name="configs",
    rank=190,
    part=Configs,
    sections={
        "config": Shape(_check, (1, 1), many=True, once_each=True, lines=MOST_LINES),
    },
    parse=_parse,
    r_lines={"code": Fields(3, 3, _check_code), "code_failed": Fields(2, 2, a_path)},
    kinds=(
        kind_of_machine(
            "r.site-file",
            Consequence.ANSWERS,
            140,
            title="R's site files",
            how="set",
            why="what Rprofile.site or Renviron.site sets, every session and every app starts with",
            bug="HenrikBengtsson/startup/issues/60",
            read=site_files,
        ),
        kind_of_machine(
            "config",
            Consequence.BEHAVIOUR,
            20,
            title="a configuration file",
            how="set",
            why="timeouts, limits and paths decide how the server treats people and apps",
            bug="rstudio/shiny-server/issues/329",
            read=configurations,
        ),
    ),
    makes=_makes,
)
