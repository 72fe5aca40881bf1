"""R's options, each as the code that makes its value."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.facts import r_value
from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields, named
from sandbox.facts.r_view import RView
from sandbox.facts.shown import hidden, planned_code
from sandbox.facts.subject import Facts, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.untaken import HashKey
from sandbox.spec.models import OptionValue, Secret

# How R shows things to a person, and where its helpers are: no result depends on them
COSMETIC_OPTIONS = re.compile(
    r"browser|editor|pager|pdfviewer|mailer|papersize|printcmd|dvipscmd|texi2dvi|unzip|prompt|continue"
    r"|echo|verbose|menu\.graphics|locatorBell|internet\.info|HTTPUserAgent|bitmapType|device.*|demo\.ask"
    r"|example\.ask|help\..*|rl_word_breaks|defaultPackages|citation\.bibtex\.max|str|str\.dendrogram\.last"
)


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"options": said.table("option")}


def options(view: RView, _: Facts) -> Reading:
    """Options that change results or what code does."""
    return {
        name: r_value.as_r_keeps(name, code)
        for name, code in view.options.items()
        if not COSMETIC_OPTIONS.fullmatch(name)
    }


def _stated(plan: Plan, key: HashKey | None) -> Stated:
    return {"r.option": _planned(plan.r.options, key)} if plan.r is not None else {}


def _planned(values: Mapping[str, OptionValue | Secret], key: HashKey | None) -> dict[str, str]:
    """The same of options, as R code. What a function or a call makes, R alone can tell."""
    found = {}
    for name, value in values.items():
        plain = None if isinstance(value, Secret) else r_value.read(planned_code(value))
        if plain is not None and plain.type != "NULL":
            found[name] = r_value.as_r_keeps(name, r_value.write(hidden(name, plain, key)))
    return found


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
        ),
    ),
    stated=_stated,
)
