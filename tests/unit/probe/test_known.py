"""What is known to tell nothing, judged here: the tables, and their words for Python."""

import re
from functools import cache
from typing import get_args

import pytest

from sandbox.facts import registry
from sandbox.facts.collect import awk_program
from sandbox.probe.known import Kind, grammars, harmless, known, known_words, rules
from tests import harmless_settings
from tests.secrets_of_all_shapes import WORDS, traces, values

OF_FACTS = registry.fragments().names
_LONGEST_ARGUMENT = 128 * 1024
"""Of Linux, for one word of a command line (MAX_ARG_STRLEN)."""
# Where a plain word may stand: of accounts, hosts, packages, and the names of things
_WORDY = {"account", "accounts", "host", "endpoint", "hosts", "package", "name", "file", "library"}
_WORDY_FACTS = {"font", "soname", "owner"}


def _grammars_of(kind: str, name: str) -> tuple[str, ...]:
    table = rules.rules(OF_FACTS)
    return (*table.exact.get((kind, name), ()), table.words.get((kind, name), ""))


@cache
def _one_of_each() -> tuple[tuple[Kind, str], ...]:
    """Kinds and names, one for each way to read a value."""
    table = rules.rules(OF_FACTS)
    found = {(kind, _grammars_of(kind, name)): name for kind, name in (*table.exact, *table.words)}
    kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    return tuple((kinds[kind], name) for (kind, _), name in found.items() if kind in kinds)


@pytest.mark.parametrize("word", WORDS.values(), ids=list(WORDS))
def test_no_secret_is_known_under_any_name(word: str) -> None:
    plain = word == WORDS["word"]
    leaks = [
        (kind, name, value)
        for kind, name in _one_of_each()
        if not (plain and (_WORDY & set(_grammars_of(kind, name)) or name in _WORDY_FACTS))
        for value in values(word).values()
        if traces(value, word) and known(kind, name, value, of_facts=OF_FACTS)
    ]
    assert leaks == []


@pytest.mark.parametrize("word", WORDS.values(), ids=list(WORDS))
def test_no_secret_is_known_under_a_name_that_nobody_knows(word: str) -> None:
    for name in ("DBPASS", "DB_CREDS", "SETTING", "R_LIBS_TOKEN", "shiny.secret", "OMP_KEY", "x"):
        assert not any(harmless(name, value) for value in values(word).values()), name


def test_words_are_of_one_name() -> None:
    table = rules.rules(OF_FACTS)
    assert [name for _, name in table.words if " " in name] == []


def test_there_are_many_shapes() -> None:
    assert sum(len(values(word)) for word in WORDS.values()) >= 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMP_NUM_THREADS", "hunter2"), ("OMP_NUM_THREADS", "7391846205"), ("TZ", "hunter2"),
        ("PATH", "/usr/bin:secret"), ("R_LIBS_SITE", "hunter2"), ("LANG", "hunter2"),
        ("MAKEFLAGS", "TOKEN=x"), ("JAVA_TOOL_OPTIONS", "-Dpassword=geheimxy"),
        ("http_proxy", "http://user:pw@host:3128"), ("no_proxy", "host,user:pw@host"),
        ("NLS_LANG", "hunter2"), ("MKL_CBWR", "hunter2"), ("R_DEFAULT_PACKAGES", "hunter2"),
        ("TAR", "tar --password=x"), ("LC_ALL", "en_US.UTF-8@geheimxy"), ("CC", "gcc -DKEY=abc"),
        ("R_LIBS_TOKEN", "/srv/x"), ("OMP_PASSWORD", "1"), ("SHINY_SECRET", "1"),
    ],
)  # fmt: skip
def test_a_known_name_is_not_enough(name: str, value: str) -> None:
    assert not known("env", name, value)


@pytest.mark.parametrize(
    "url",
    [
        "https://cran.example.org/tok_x9Kq2Lm/cran", "https://u@cran.example.org/",
        "https://cran.example.org/hunter2/src", "https://cran.example.org/7391846205/src",
        "https://cran.example.org/1234-5678-9012-3456", "https://cran.example.org/src?x=1",
        "https://cran.example.org/src#x", "https://cran.example.org/ab12-cd34-ef56-ab78",
        "https://cran.example.org/correct-horse-battery-staple-and-more",
        "https://cran.example.org/ZXhhbXBsZQ/src", "ftp://anonymous:pw@cran.example.org",
    ],
)  # fmt: skip
def test_a_repository_with_a_token_is_not_known(url: str) -> None:
    assert not known("repo", "CRAN", url)


_RANGE = re.compile(grammars.ANY_RANGE)


def _harmless() -> list[tuple[Kind, str, str]]:
    found: list[tuple[Kind, str, str]] = []
    found += [("option", name.strip(), value) for name, value in harmless_settings.OPTIONS.items()]
    found += [("repo", "CRAN", url) for url in harmless_settings.REPOSITORIES]
    lines: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("env", harmless_settings.ENVIRONMENT),
        ("rstudio", harmless_settings.RSTUDIO),
        ("odbc", harmless_settings.ODBC),
        ("unit", harmless_settings.UNITS),
    )
    for kind, texts in lines:
        for text in texts:
            name, _, value = text.removeprefix("export ").partition("=")
            if "${" not in value:
                found.append((kind, name, value.strip("'\"")))
    return found


@pytest.mark.parametrize(("kind", "name", "value"), _harmless())
def test_what_is_harmless_is_known(kind: Kind, name: str, value: str) -> None:
    assert known(kind, name, value, of_facts=OF_FACTS)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("fact", "category", "LC_MEASUREMENT"),
        ("code", ".locale", "LC_IDENTIFICATION"),
        ("env", "OPENBLAS_CORETYPE", "SAPPHIRERAPIDS"),
        ("env", "NLS_LANG", "GERMAN_SWITZERLAND.AL32UTF8"),
    ],
)
def test_a_long_word_that_is_listed_is_no_key(kind: Kind, name: str, value: str) -> None:
    assert known(kind, name, value, of_facts=OF_FACTS)
    assert not known(kind, name, value + "ABCDEFGHIJKL", of_facts=OF_FACTS)


@pytest.mark.parametrize("value", ["1." + "7" * 40, "1234.5678.9012"])
def test_where_any_digit_fits_a_long_run_may_be_a_key(value: str) -> None:
    assert known("env", "SHINY_SERVER_VERSION", "1.5.20")
    assert not known("env", "SHINY_SERVER_VERSION", value)


def test_a_list_without_ranges_has_no_other_way_to_take_anything() -> None:
    lists = [words for words in rules.rules(OF_FACTS).words.values() if not _RANGE.search(words)]
    assert lists
    assert [words for words in lists if re.search(r"\[\^|(?<!\\)[.][*+{]", words)] == []


def test_every_grammar_that_a_name_has_is_there() -> None:
    """Where one is missing, an awk would find an empty expression, which fits everything."""
    table = rules.rules(OF_FACTS)
    asked_for = {grammar for found in table.exact.values() for grammar in found}
    asked_for |= {grammar for _, _, found in table.patterns for grammar in found.split()}
    assert asked_for <= set(grammars.grammar_names())


def test_expressions_have_no_counted_groups() -> None:
    """mawk reads `(x){2}` as it stands, and would never find it."""
    table = rules.rules(OF_FACTS)
    written = [*map(grammars.for_awk, grammars.grammar_names()), *table.words.values()]
    written = [grammars.without_counts(one) for one in written]
    assert [one for one in written if re.search(r"[)]\{\d", one)] == []
    assert [one for one in written if re.search(r"\]\{\d", one)] == []


def test_the_program_fits_on_a_command_line() -> None:
    asked_for = awk_program(take_names=["MY_NAME"] * 50, take_files=["/srv/" + "x" * 300] * 20)
    assert len(asked_for) < _LONGEST_ARGUMENT
    assert awk_program().isascii()


@pytest.mark.parametrize("name", ['x"; system("id"); "', "a b\nc", "", "x" * 200])
def test_only_names_are_asked_for(name: str) -> None:
    with pytest.raises(Exception, match="is not the name"):
        awk_program(take_names=[name])
    with pytest.raises(Exception, match="is not the absolute path"):
        awk_program(take_files=[name])


@pytest.mark.parametrize(
    "line",
    [
        "Error: package or namespace load failed for 'shiny'",
        "Error in library(DT) : there is no package called 'DT'",
        'Setting LC_CTYPE failed, using "C"',
        "unable to load shared object '/usr/lib/R/library/x/libs/x.so'",
        "libudunits2.so.0: cannot open shared object file: No such file or directory",
    ],
)
def test_words_of_messages(line: str) -> None:
    assert known_words(line)


@pytest.mark.parametrize(
    "line",
    [
        "connection to 'geheimxy' refused", "value is 7391846205", "login(geheimxy)", "geheimxy",
        "Error: x9Kq2Lm", "using https://u:p@host", "correct horse battery staple",
        "Error in connect(password) : 1234-5678-9012-3456",
    ],
)  # fmt: skip
def test_no_other_words(line: str) -> None:
    assert not known_words(line)
