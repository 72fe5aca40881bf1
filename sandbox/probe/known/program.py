"""The awk program that holds values back on the machine itself: tables, take.awk, answers.awk."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from sandbox.errors import UsageError
from sandbox.probe.known import grammars, rules

_PARTS = ("take.awk", "answers.awk")
_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_. -]{0,100}")
_PATH = re.compile(r"/[A-Za-z0-9_./+@:~-]{1,400}")


def awk_program(
    *,
    take_names: Sequence[str] = (),
    take_files: Sequence[str] = (),
    of_facts: str = "",
    modes: Sequence[str] = (),
    r_fields: Mapping[str, str] | None = None,
) -> str:
    """Write the program for `awk`, ASCII.

    Args:
        take_names: names that the user asked for: their values leave the machine in any case.
        take_files: absolute paths of files that are taken whole.
        of_facts: rules of names that belong to one fact, as in names.txt under [fact].
        modes: code of facts that read a table in a mode of their own: functions `take_MODE(line)`
            and, for work at the end, `end_MODE()`.
        r_fields: kind of a line of R's to the meaning of its fields, with commas between them.

    Raises:
        UsageError: a name or path is not possible.
    """
    lines = []
    for name in take_names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"`{name}` is not the name of a variable, an option or a key")
        lines.append(f"TAKE[{_text(name)}]")
    for path in take_files:
        if not _PATH.fullmatch(path):
            raise UsageError(f"`{path}` is not the absolute path of a file")
        lines.append(f"TAKE_FILE[{_text(path)}]")
    lines += [
        f"FACTS[{_text(kind)}] = {_text(fields)}" for kind, fields in (r_fields or {}).items()
    ]
    given = f"BEGIN {{ {'; '.join(lines)} }}\n" if lines else ""
    return f"{given}{_fixed(of_facts, tuple(modes))}"


@cache
def _fixed(of_facts: str, modes: tuple[str, ...]) -> str:
    here = Path(__file__)
    texts = [here.with_name(name).read_text(encoding="ascii") for name in _PARTS]
    lines = "".join((*modes, *texts)).splitlines()
    code = [line for line in lines if not line.lstrip().startswith("#")]
    return "\n".join([*_tables(of_facts), *_dispatch("".join(modes)), *code]) + "\n"


def _dispatch(text: str) -> Iterator[str]:
    """The functions that call the facts' own functions for a mode of their own."""
    takers, enders = (
        re.findall(rf"^function {verb}_(\w+)\(", text, re.M) for verb in ("take", "end")
    )
    yield "BEGIN { " + "".join(f'OWN_MODE["{mode}"] = 1; ' for mode in takers) + "}"
    yield "function take_own(line) {"
    yield from (f'if (MODE == "{mode}") take_{mode}(line)' for mode in takers)
    yield "}"
    yield "function end_own() {"
    yield from (f'if (MODE == "{mode}") end_{mode}()' for mode in enders)
    yield "}"


def _text(text: str) -> str:
    """A string of awk."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _whole(expression: str) -> str:
    return _short(grammars.without_counts(f"^({expression})$"))


@cache
def _fragments() -> tuple[str, ...]:
    return tuple(grammars.without_counts(one) for one in grammars.FRAGMENTS)


def _short(expression: str, *, below: int | None = None) -> str:
    """An expression of awk for `expression`, with variables for the fragments (of a number below) in it."""  # noqa: E501
    numbers = range(len(_fragments()))[:below]
    for number in reversed(numbers):
        before, found, behind = expression.partition(_fragments()[number])
        if found:
            parts = (_short(before, below=number), f"F{number}", _short(behind, below=number + 1))
            return " ".join(part for part in parts if part != '""') or '""'
    return _text(expression)


def _tables(of_facts: str) -> Iterator[str]:
    table = rules.rules(of_facts)
    yield "BEGIN {"
    for number, fragment in enumerate(_fragments()):
        yield f"F{number} = {_short(fragment, below=number)}"
    yield f"LONGEST = {grammars.LONGEST}; RUN = {_text(grammars.RUN)}; NAME_RUN = {_text(grammars.NAME_RUN)}; ANY_RANGE = {_text(grammars.ANY_RANGE)}; NEVER = {_text(rules.NEVER)}"  # noqa: E501
    yield f"SHAPED = {_whole(rules.SHAPED)}; CALL = {_whole(rules.CALL)}"
    for name in grammars.grammar_names():
        yield f"G[{_text(name)}] = {_short(grammars.for_awk(name))}"
    for (kind, name), expression in table.words.items():
        yield f"WORDS[{_text(kind)}, {_text(name)}] = {_whole(expression)}"
    by_list: dict[tuple[str, str], list[str]] = {}
    for (kind, name), found in table.exact.items():
        by_list.setdefault((kind, " ".join(dict.fromkeys(found))), []).append(name)
    for (kind, found_list), names in by_list.items():
        yield f"put({_text(kind)}, {_text(found_list)}, {_text(' '.join(names))})"
    for number, (kind, pattern, found_text) in enumerate(table.patterns, 1):
        yield (
            f"PK[{number}] = {_text(kind)}; PR[{number}] = {_whole(pattern)}; "
            f"PG[{number}] = {_text(found_text)}"
        )
    yield f"PATTERNS = {len(table.patterns)}"
    yield f"words_of({_text(' '.join(sorted(table.vocabulary)))}, VOCABULARY)"
    yield f"words_of({_text(rules.INTRODUCED)}, INTRODUCED)"
    yield "}"
    yield "function put(kind, found, names,    n, i, part) {"
    yield 'n = split(names, part, " ")'
    yield "for (i = 1; i <= n; i++) EX[kind, part[i]] = found"
    yield "}"
