"""R's options, each as the code that makes its value."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.facts import r_value
from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.making import AskedFor, Change, Made, Making, RCodeOf, few
from sandbox.facts.planned import planned_options
from sandbox.facts.r_lines import Fields, named
from sandbox.facts.r_value import RValue
from sandbox.facts.r_view import RView
from sandbox.facts.r_yaml import option_yaml
from sandbox.facts.shown import shown_code
from sandbox.facts.subject import Facts, Hashes, RSaid, Stated, Subject
from sandbox.facts.subjects.configs import Configs
from sandbox.plan import Plan
from sandbox.probe.untaken import is_placeholder

# How R shows things to a person, and where its helpers are: no result depends on them
COSMETIC_OPTIONS = re.compile(
    r"browser|editor|pager|pdfviewer|mailer|papersize|printcmd|dvipscmd|texi2dvi|unzip|prompt|continue"
    r"|echo|verbose|menu\.graphics|locatorBell|internet\.info|HTTPUserAgent|bitmapType|device.*|demo\.ask"
    r"|example\.ask|help\..*|rl_word_breaks|defaultPackages|citation\.bibtex\.max|str|str\.dendrogram\.last"
)


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"options": said.table("option")}


def options(view: RView, _: Facts) -> Reading:
    """List the options that change results or what code does."""
    return {
        name: r_value.as_r_keeps(name, code)
        for name, code in view.options.items()
        if not COSMETIC_OPTIONS.fullmatch(name)
    }


def all_options(view: RView, _: Facts) -> Reading:
    """List every option."""
    return {name: r_value.as_r_keeps(name, code) for name, code in view.options.items()}


def _stated(plan: Plan, hashes: Hashes) -> Stated:
    return {"r.option": planned_options(plan.r.options, hashes)} if plan.r is not None else {}


# Options as R has them without any profile; what differs, somebody has set
_R_DEFAULTS: Final = {
    "add.smooth": "TRUE", "browserNLdisabled": "FALSE", "CBoundsCheck": "FALSE",
    "check.bounds": "FALSE",
    "contrasts": 'c(unordered = "contr.treatment", ordered = "contr.poly")',
    "deparse.cutoff": "60", "deparse.max.lines": "-1",
    "digits": "7", "encoding": '"native.enc"', "expressions": "5000", "keep.parse.data": "TRUE",
    "keep.parse.data.pkgs": "FALSE", "keep.source": "FALSE", "keep.source.pkgs": "FALSE",
    "matprod": '"default"', "max.contour.segments": "25000", "max.print": "99999",
    "max.deparse.length": "60", "na.action": '"na.omit"',
    "nwarnings": "50", "OutDec": '"."', "PCRE_limit_recursion": "NA", "PCRE_study": "FALSE",
    "PCRE_use_JIT": "TRUE", "pkgType": '"source"', "scipen": "0", "show.coef.Pvalues": "TRUE",
    "show.error.messages": "TRUE", "show.signif.stars": "TRUE", "showErrorCalls": "TRUE",
    "showNCalls": "50", "showWarnCalls": "FALSE", "stringsAsFactors": "FALSE", "timeout": "60",
    "ts.eps": "1e-05", "ts.S.compat": "FALSE", "useFancyQuotes": "TRUE", "warn": "0",
    "warning.length": "1000", "warnPartialMatchArgs": "FALSE", "warnPartialMatchAttr": "FALSE",
    "warnPartialMatchDollar": "FALSE", "width": "80", "width.cutoff": "60",
    "catch.script.errors": "FALSE", "traceback.max.lines": "-1",
}  # fmt: skip
_NOT_TO_SET = re.compile(rf"{COSMETIC_OPTIONS.pattern}|str\..*|ts\..*")
_NAME = re.compile(r"[A-Za-z.][A-Za-z0-9._]{0,127}")
_USUAL_AGENT = re.compile(r'"R \([0-9.]+ [a-z0-9_]+(-[a-z0-9_]+)* [a-z0-9_]+ linux-gnu\)"')
_LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Options:
    """What somebody has set on a server."""

    said: tuple[tuple[str, str], ...]
    """Name, and the code that makes the value."""
    secret: tuple[str, ...]
    """Names of those that are one text, and were not taken."""
    unsaid: tuple[str, ...]
    """What a box cannot say, each with its value where that is known."""


def choose_options(facts: Facts, view: RView) -> Options:
    """Choose the options that somebody has set."""
    said, secret = [], []
    unsaid: list[str] = []
    for name, code in sorted(view.options.items()):
        if _NOT_TO_SET.fullmatch(name):
            unsaid += _of_no_result(facts, name, code)
            continue
        if _R_DEFAULTS.get(name) == r_value.as_r_keeps(name, code):
            continue
        value = r_value.read(code)
        if not _NAME.fullmatch(name):
            unsaid.append(f"{name} (no box can name it)")
        elif value is not None and _is_hidden_text(value):
            secret.append(name)
        elif option_yaml(code) is not None:
            said.append((name, code))
        else:
            unsaid.append(f"{name} = {_short(name, code)}")
    return Options(tuple(said), tuple(secret), tuple(unsaid))


def _is_hidden_text(value: RValue) -> bool:
    part = value.values[0] if len(value.values) == 1 else None
    return value.type == "character" and value.names is None and is_placeholder(part or "")


def _of_no_result(facts: Facts, name: str, code: str) -> Iterator[str]:
    """Options that no result depends on are said when somebody has set them all the same."""
    if name == "HTTPUserAgent":
        if not _USUAL_AGENT.fullmatch(code):
            known = _short(name, code)
            yield f"HTTPUserAgent = {known} (by it repositories give binary or source packages)"
    elif any(
        _sets(config.settings, name)
        for config in facts.get(Configs) or ()
        if _is_profile(config.path)
    ):
        yield f"{name} = {_short(name, code)}"


def _is_profile(path: str) -> bool:
    return path.endswith("Rprofile.site")


def _sets(settings: dict[str, str], name: str) -> bool:
    word = re.compile(rf"(?<![\w.]){re.escape(name)}[\"`]? = ")
    return any(word.search(text) for text in settings.values())


def _short(name: str, code: str) -> str:
    text = " ".join(shown_code(name, code).split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    if making.view is None:
        return
    found = choose_options(facts, making.view)
    for name, code in found.said:
        yield Change(("r", "options", name), RCodeOf(code))
    for name in found.secret:
        yield Change(("r", "options", name), AskedFor())
    yield from few([f"R option {one}" for one in found.unsaid])


OPTIONS = Subject(
    name="options",
    rank=65,
    r_lines={"option": Fields(2, 2, named)},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.option",
            Consequence.ANSWERS,
            130,
            title="an R option",
            how="r",
            why="options such as digits or stringsAsFactors change what code gives, "
            "unseen in the code",
            bug="HenrikBengtsson/startup/issues/60",
            read=options,
            read_for_box=all_options,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
