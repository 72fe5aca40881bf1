"""What is not known to be harmless is held back on the host, before a byte leaves it."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest

from sandbox.facts import registry
from sandbox.facts.collect import awk_program, compose
from sandbox.probe.known import Kind, grammars, known, known_words, rules
from sandbox.probe.script import Taking
from sandbox.probe.untaken import HashKey, placeholder
from tests import harmless_settings
from tests.secrets_of_all_shapes import PLANTED, SECRETS, SEVERAL_LINES, WORDS, traces, values

OF_FACTS = registry.fragments().names
_KEY = HashKey("00112233445566778899aabbccddeeff")
_WITH_KEY = Taking(key=_KEY)
_LAST = "\nprobe_everything"
_AWKS = {
    "mawk": ("mawk",),
    "gawk": ("gawk",),
    "original": ("original-awk",),
    "busybox": ("busybox", "awk"),
}
_HERE = {name: argv for name, argv in _AWKS.items() if shutil.which(argv[0])}
_MARKED = re.compile(rb"\x01[^\x01]*\x01")
_PLAIN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def _awk(program: str, text: str, argv: Iterable[str], **variables: str) -> str:
    """What that program says, with what it marked for the shell taken out."""
    given = {"KIND": "", "NAME": "", "PLACE": "", "B": "BOUNDARY", "OWN": "0"} | variables
    words = [word for name, value in given.items() for word in ("-v", f"{name}={value}")]
    done = subprocess.run(
        [*argv, *words, program],
        input=text.encode("utf-8", "surrogateescape"),
        capture_output=True,
        env=_PLAIN,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    # Proof for the shell that all was looked at
    assert done.stdout.count(b"\x01\x02\n") == 1
    return _MARKED.sub(b"", done.stdout.replace(b"\x01\x02\n", b"")).decode("utf-8", "replace")


def _field(value: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(plain, escaped)
    return value


def _names(kind: str) -> list[str]:
    """One name for each way to read a value, and one that nobody knows."""
    table = rules.rules(OF_FACTS)
    by_rules: dict[tuple[object, ...], str] = {}
    for of_kind, name in (*table.exact, *table.words):
        if of_kind == kind:
            key = (tuple(table.exact.get((kind, name), ())), table.words.get((kind, name)))
            by_rules[key] = name
    return [*by_rules.values(), "setting"]


def _texts(word: str) -> dict[str, tuple[str, dict[str, str]]]:
    """A text for each way of reading, full of `word`, with the variables that go with it."""
    given = [value.replace("\n", " ") for value in values(word).values()]
    plain = word == WORDS["word"]
    wordy = re.compile(r"account|host|endpoint|package|name|file|library")
    found: dict[str, tuple[str, dict[str, str]]] = {}

    def known_names(kind: str) -> list[str]:
        table = rules.rules(OF_FACTS)
        return [
            name
            for name in _names(kind)
            if not (plain and wordy.search(" ".join(table.exact.get((kind, name), ()))))
        ]

    def put(place: str, lines: Iterable[str], **variables: str) -> None:
        found[place] = ("\n".join(lines) + "\n", variables)

    for place, kind, mode in (
        ("environment file", "env", "env"), ("RStudio", "rstudio", "ini"), ("ODBC", "odbc", "ini"),
        ("repos.conf", "repo", "ini"), ("unit", "unit", "unit"),
    ):  # fmt: skip
        lines = [f"{name}={value}" for name in known_names(kind) for value in given]
        put(place, lines, MODE=mode, KIND=kind)
    put("unit's environment", [f'Environment=A={v} "B={v}" C={v}' for v in given], MODE="unit")
    put("lines that are no settings", [v for v in given if "=" not in v], MODE="env", KIND="env")
    put("JSON", [f'"a_b": "{v}",' for v in given], MODE="json", KIND="rstudio")
    put("limits", [f"* soft nofile {v}" for v in given], MODE="limits", KIND="limits")
    # Each with an end of its own: a quote that does not end goes on to the end of the file
    for name in known_names("shiny"):
        lines = [f"{name} {v};\nrun_as shiny;" for v in given if v.count('"') % 2 == 0]
        put(f"Shiny {name}", lines, MODE="shiny")
    put("Shiny's quotes", [f'listen "{word}; {{ }}'], MODE="shiny")
    for kind in ("environment", "repo", "option"):
        of_kind = {"environment": "env"}.get(kind, kind)
        lines = [
            # Text stands in quotes in the code of an option, and never does where R sends it
            f"BOUNDARY\tfact\t{kind}\t{name}\t"
            + (f'"{_field(v)}"' if kind == "option" else _field(v))
            for name in known_names(of_kind)
            for v in given
        ]
        put(f"R's {kind}", lines, MODE="r")
    for kind in ("string", "number", "integer", "repo"):
        lines = []
        for number, (name, v) in enumerate((n, v) for n in known_names("option") for v in given):
            part = f"PROBE_LITERAL_{number}_"
            lines.append(f"BOUNDARY\tfact\tcode_literal\t{number}\t{kind}\t{name}\t{_field(v)}")
            lines.append(f"BOUNDARY\tfact\tcode\t/etc/R/x\t{number}\tf({part})")
            lines.append(f"BOUNDARY\tfact\toption\t{name}\tc(a = {part})")
        put(f"R's code, {kind}", lines, MODE="r")
    said = ("{}", "loading {}", "Error in {} : {}", "Warning: {} was {}", "connection to '{}'")
    lines = [text.replace("{}", v) for text in said for v in given]
    put("words", lines, MODE="words")
    put("words of R", lines, MODE="r")
    lines = [f"BOUNDARY\tfact\tfailed\toptions\t{_field(line)}" for line in lines]
    put("messages of R", lines, MODE="r")
    lines = [
        f"BOUNDARY\tfact\tpackage\tp\t1.0\t/x\t4.2\t\t{_field(v)}\t{_field(v)}\tR" for v in given
    ]
    put("packages", lines, MODE="r")
    put("GECOS", [f"app:x:1000:1000:{v}:/home/app:/bin/sh" for v in given], MODE="passwd",
        KIND="passwd")  # fmt: skip
    if not plain:
        lines = [f"{v}:{v}:{v}:{v}:{v}:{v}:{v}" for v in given]
        put("accounts", lines, MODE="passwd", KIND="passwd")
        put("groups", [f"a:{v}:1000:{v}" for v in given], MODE="passwd", KIND="group")
        put("services", [f"Id={v}.service\nLoadState={v}" for v in given], MODE="services")
        lines = [
            f'tcp LISTEN 0 1 *:80 *:* users:(("{v}",pid=1,fd=2),("{v}",pid=3,fd=4))' for v in given
        ]
        put("sockets", lines, MODE="ss")
        for name in ("certificate", "font", "package", "unit", "account", "process", "hostname"):
            put(f"rows of {name}", given, MODE="rows", NAME=name)
    return found


@pytest.mark.parametrize("word", WORDS.values(), ids=list(WORDS))
def test_no_shape_leaves_any_place(word: str) -> None:
    program = awk_program()
    for place, (text, variables) in _texts(word).items():
        out = _awk(program, text, _HERE["mawk"], **variables)
        assert [line for line in out.splitlines() if traces(line, word)] == [], place


_ASKED = (*values(WORDS["mixed"]).values(), WORDS["word"], WORDS["digits"], "/usr/bin", "4")
_ASK = 'MODE == "ask" { split($0, p, "\\t"); print known(p[1], p[2], p[3]); next }\n'
_ASK += 'MODE == "ask-words" { print known_words($0); next }\n'


@pytest.mark.parametrize("argv", _HERE.values(), ids=list(_HERE))
def test_every_awk_says_what_python_says(argv: tuple[str, ...]) -> None:
    """Each expression there is, in each awk: some crash on what others read."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    asked: list[tuple[Kind, str, str]] = [
        (kind, name, value)
        for kind in kinds
        for name in _names(kind)
        for value in _ASKED
        if not re.search("[\n\t\x01\x02]", value)
    ]
    if argv != _AWKS["mawk"]:
        # An expression is made again for each: all of them, with a few values each
        asked = asked[::37]
    asked += [("option", name.strip(), value) for name, value in harmless_settings.OPTIONS.items()]
    asked += [("repo", "CRAN", url) for url in harmless_settings.REPOSITORIES]
    lines: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("env", harmless_settings.ENVIRONMENT),
        ("odbc", harmless_settings.ODBC),
        ("rstudio", harmless_settings.RSTUDIO),
        ("unit", harmless_settings.UNITS),
    )
    for kind, texts in lines:
        for one in texts:
            name, _, value = one.removeprefix("export ").partition("=")
            asked.append((kind, name, value))
    # Listed words that are as long as a key
    asked += [("fact", "category", "LC_MEASUREMENT")]
    asked += [("env", "OPENBLAS_CORETYPE", word) for word in ("SAPPHIRERAPIDS", "ABCDEFGHIJKLMN")]
    asked += [("env", "SHINY_SERVER_VERSION", found) for found in ("1.5.20", "1234.5678.9012")]
    text = "".join("\t".join(one) + "\n" for one in asked)
    said = _awk(_ASK + awk_program(), text, argv, MODE="ask").split()
    ours = [
        "1" if known(kind, name, value, of_facts=OF_FACTS) else "0" for kind, name, value in asked
    ]
    differing = [one for one, a, b in zip(asked, said, ours, strict=True) if a != b]
    assert differing == []


@pytest.mark.parametrize(
    "name",
    ["DT", "hgu95av2.db", "M4comp2018", "made0001", "IlluminaHumanMethylation450kanno.ilmn12.hg19"],
)
def test_an_installed_package_is_known_by_any_name_that_r_lets_it_have(name: str) -> None:
    line = f"BOUNDARY\tfact\tpackage\t{name}\t1.0\t/usr/lib/R/library\t4.2\t\tCRAN\t\tR {name}\n"
    out = _awk(awk_program(), line, ("awk",), MODE="r")
    assert out == line


@pytest.mark.parametrize("argv", _HERE.values(), ids=list(_HERE))
def test_a_held_package_is_known_when_dpkg_has_it(argv: tuple[str, ...]) -> None:
    said = "r-base-core\tinstalled", "all-packages\trelease n=bookworm priority 900"
    held = "r-base-core\thold", "r-base-core\tversion 4.2.* priority 1001"
    text = "\n".join((*said, *held, "acme-secrets\thold", "r-base-core\torigin acme priority 1"))
    assert _awk(awk_program(), text, argv, MODE="held").splitlines() == [
        said[1], *held, "\thold", "r-base-core\t",
    ]  # fmt: skip


@pytest.mark.parametrize("argv", _HERE.values(), ids=list(_HERE))
def test_what_openssl_is_told_is_known(argv: tuple[str, ...]) -> None:
    text = "MaxProtocol\tTLSv1.3\nMinProtocol\tTLSv1.2\nCipherString\tDEFAULT@SECLEVEL=1\n"
    assert _awk(awk_program(), text, argv, MODE="pairs") == text


@pytest.mark.parametrize("argv", _HERE.values(), ids=list(_HERE))
def test_every_awk_reads_messages_as_python_does(argv: tuple[str, ...]) -> None:
    lines = [
        "Error in library(DT) : there is no package called 'DT'",
        "Error: package or namespace load failed for \u2018shiny\u2019:",
        "unable to load shared object '/usr/lib/R/library/x/libs/x.so'",
        "Setting LC_CTYPE failed, using \"C\"",
        "-----", "[1] 12345", "value is 7391846205", "login(geheimxy)", "...", "]x[", "(((",
        *(value for value in values(WORDS["mixed"]).values() if value.isascii() and value.isprintable()),  # noqa: E501
    ]  # fmt: skip
    said = _awk(_ASK + awk_program(), "\n".join(lines) + "\n", argv, MODE="ask-words").split()
    assert said == ["1" if known_words(line) else "0" for line in lines]


_PLACES = (
    (harmless_settings.ENVIRONMENT, "env", "env"),
    (harmless_settings.RSTUDIO, "ini", "rstudio"),
    (harmless_settings.ODBC, "ini", "odbc"),
    (harmless_settings.SHINY, "shiny", ""),
    (harmless_settings.UNITS, "unit", ""),
    (harmless_settings.LIMITS, "limits", ""),
)


@pytest.mark.parametrize("argv", _HERE.values(), ids=list(_HERE))
@pytest.mark.parametrize(
    ("lines", "mode", "kind"), _PLACES, ids=[one[1] + one[2] for one in _PLACES]
)
def test_what_is_harmless_comes_through(
    argv: tuple[str, ...], lines: tuple[str, ...], mode: str, kind: str
) -> None:
    out = _awk(awk_program(), "\n".join(lines) + "\n", argv, MODE=mode, KIND=kind)
    if mode == "shiny":
        assert out.splitlines() == list(lines)
        return
    shown = [line.split("\t")[1] for line in out.splitlines()]
    if mode == "limits":
        assert shown == [line.split()[-1] for line in lines]
        return
    wanted = [line.removeprefix("export ").split("=", 1)[1] for line in lines]
    bare = [value[1:-1] if value[:1] in "'\"" and value[:1] else value for value in wanted]
    # In the text of a default R takes the quotes away too
    assert [value.replace("'", "") for value in shown] == [value.replace("'", "") for value in bare]


# ---- the functions that the script has -----------------------------------------------------------


def _functions(taking: Taking = _WITH_KEY) -> str:
    script = compose("BOUNDARY", taking=taking)
    return f"{script[: script.rindex(_LAST)]}\nprepare_hashes\n"


def _through(text: str, call: str, *, taking: Taking = _WITH_KEY, shell: str = "sh") -> str:
    """What the real script lets out of `text`."""
    # Not on standard input, which is the script itself
    script = f"{_functions(taking)}\n{call} <<'TEXT_ENDS_HERE'\n{text}\nTEXT_ENDS_HERE\n"
    done = subprocess.run(
        [shell, "-s"], input=script, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_placeholder_is_the_one_that_is_made_here() -> None:
    secret = 'two  words\\ "quoted" $HOME `id` %s é'
    out = _through(f"SETTING={secret}\nTZ=UTC\nOTHER={secret}", "take env env")
    told = placeholder(secret, _KEY)
    assert out == f"SETTING\t{told}\nTZ\tUTC\nOTHER\t{told}\n"


def test_without_a_key_there_is_no_hash() -> None:
    out = _through("SETTING=geheimxy", "take env env", taking=Taking())
    assert out == "SETTING\t<not taken: 1-8 characters>\n"


def test_what_was_asked_for_by_name_is_taken() -> None:
    taking = Taking(key=_KEY, names=("SALES_DB",), files=("/etc/x",))
    out = _through("SALES_DB=geheim xy\nOTHER=geheim", "take env env", taking=taking)
    assert out == f"SALES_DB\tgeheim xy\nOTHER\t{placeholder('geheim', _KEY)}\n"
    out = _through("OTHER=geheim\nno setting", "probe_place=/etc/x; take env env", taking=taking)
    assert out == "OTHER\tgeheim\nline 2\tno setting\n"


@pytest.mark.parametrize("text", SECRETS.values(), ids=list(SECRETS))
def test_a_line_with_a_secret_changes_nothing_around_it(text: str) -> None:
    for mode in ("env env", "ini rstudio"):
        out = _through(f"TZ=UTC\n{text}\nwww-port=4\nTZ=UTC", f"take {mode}", taking=Taking())
        assert PLANTED.lower() not in out.lower()
        assert "<not taken: " in out
        assert len(out.splitlines()) == 4


@pytest.mark.parametrize("text", SEVERAL_LINES.values(), ids=list(SEVERAL_LINES))
@pytest.mark.parametrize("mode", ["env env", "ini rstudio", "limits", "json rstudio", "unit"])
def test_nor_one_over_several_lines(text: str, mode: str) -> None:
    assert PLANTED not in _through(text, f"take {mode}")


@pytest.mark.parametrize(
    "text",
    [
        'PW="first\ngeheimxy=1\nmore"\nOMP_NUM_THREADS=4',
        "PW='first\ngeheimxy=1\nmore'\nOMP_NUM_THREADS=4",
        "PW=abc\\\ngeheimxy=1\nOMP_NUM_THREADS=4",
        "geheimxy==\nOMP_NUM_THREADS=4",
        'PW="never ends\ngeheimxy=1\nOMP_NUM_THREADS=4',
        "-----BEGIN PGP MESSAGE-----geheimxy-----END PGP MESSAGE-----\nOMP_NUM_THREADS=4",
        "-----BEGIN RSA KEY-----\ngeheimxy\n-----END RSA KEY-----\nOMP_NUM_THREADS=4",
    ],
)
def test_a_value_of_several_lines_hides_no_setting_behind_it(text: str) -> None:
    out = _through(text, "take env env")
    assert "geheimxy" not in out
    assert out.endswith("OMP_NUM_THREADS\t4\n")


def test_shiny_server_keeps_its_shape() -> None:
    text = (
        'server { listen 3838; # old token "geheimxy {\n location /x9Kq2Lm7 { site_dir "/srv/a b{;}"; }\n'  # noqa: E501
        " password 'geheimxy; }'; geheim\\{x geheimxy; }\nrun_as shiny;"
    )
    out = _through(text, "take shiny", taking=Taking())
    hidden = r"<not taken: [0-9-]+ characters>"
    shape = [re.sub(hidden, "?", line) for line in out.splitlines()]
    assert "geheimxy" not in out
    assert shape == [
        "server {", "listen 3838;", "location ? {", "site_dir ?;", "}", "? ?;", "? {",
        "? ?;", "}", "run_as shiny;",
    ]  # fmt: skip


# ---- bounds, and who may look on -----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "A=" + "x" * 1_000_000,
        "A=" + "geheim xy " * 100_000,
        "\n".join(f"A{number}=geheimxy{number}" for number in range(100_000)),
        "\n".join("geheimxy" for _ in range(100_000)),
        '"' * 100_001,
        "{" * 50_000 + "geheimxy;" * 10_000,
    ],
    ids=["long line", "long line of words", "settings", "lines", "quotes", "braces"],
)
@pytest.mark.parametrize("mode", ["env env", "ini odbc", "shiny", "words", "r"])
def test_a_huge_file_is_done_in_seconds(text: str, mode: str) -> None:
    start = time.monotonic()
    out = _through(text, f"take {mode}")
    assert "geheimxy" not in out
    assert time.monotonic() - start < 30


def test_a_binary_file(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    noise = bytes(range(256)) * 40
    file.write_bytes(b"TZ=UTC\nA=geheim\x00xyz\n" + noise + b"\ngeheimxy\x00\xff\xfe\n\xe4=\xfc\n")
    for shell in ("sh", "bash"):
        script = f"{_functions()}\ntake env env <{file}\n"
        done = subprocess.run(
            [shell, "-s"], input=script.encode(), capture_output=True, timeout=30, check=False
        )
        assert b"geheim" not in done.stdout
        assert done.stdout.startswith(b"TZ\tUTC\n")


def test_no_secret_is_on_a_command_line_or_in_an_environment(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    for program in ("awk", "sed", "openssl", "sha256sum", "printf", "env", "grep"):
        real = shutil.which(program)
        wrapper = tmp_path / "bin" / program
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_text(
            f'#!/bin/sh\n{{ echo {program} "$@"; cat /proc/$$/environ; }} >>{seen}\nexec {real} "$@"\n'  # noqa: E501
        )
        wrapper.chmod(0o755)
    text = "\n".join(f"A{number}={value}" for number, value in enumerate(SECRETS.values()))
    script = f"{_functions()}\ntake env env <<'TEXT_ENDS_HERE'\n{text}\nTEXT_ENDS_HERE\n"
    script += f"one path '/{PLANTED}'\n"
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-s"], input=script, capture_output=True, text=True, timeout=60, env=environment,
        check=True,
    )  # fmt: skip
    told = seen.read_bytes().decode("utf-8", "replace")
    assert "openssl enc" in told
    assert done.stdout.count(", #") >= len(SECRETS)
    assert PLANTED.lower() not in told.lower()
    assert _KEY.digits not in told


def test_an_awk_that_cannot_do_it_lets_nothing_out() -> None:
    script = (
        f"{_functions()}\nTAKE='{{ print }} function broken('\nprintf 'TZ=UTC\\n' | take env env\n"
    )
    done = subprocess.run(
        ["sh", "-s"], input=script, capture_output=True, text=True, timeout=30, check=False
    )
    assert "TZ" not in done.stdout
    # Not in silence: an answer that lacks a part says so
    assert "this awk could not look at it" in done.stdout


def test_an_awk_that_ends_half_way_is_no_answer() -> None:
    script = (
        f"{_functions()}\nTAKE='{{ print; exit 2 }}'\nprintf 'TZ=UTC\\nA=b\\n' | take env env\n"
    )
    done = subprocess.run(
        ["sh", "-s"], input=script, capture_output=True, text=True, timeout=30, check=False
    )
    assert "TZ" not in done.stdout
    assert "this awk could not look at it" in done.stdout


@pytest.mark.parametrize("argv", _HERE.values(), ids=list(_HERE))
def test_every_awk_reads_every_expression(argv: tuple[str, ...]) -> None:
    """An awk stops at one that it cannot read: mawk does at a hundred groups within each other."""
    tables = rules.rules(OF_FACTS)
    check = (
        'END { for (g in G) { n++; "x" ~ G[g] } for (w in WORDS) { n++; "x" ~ WORDS[w] } print n }'
    )
    said = _awk(awk_program() + check, "", argv, MODE="words")
    assert int(said) == len(grammars.grammar_names()) + len(tables.words)
