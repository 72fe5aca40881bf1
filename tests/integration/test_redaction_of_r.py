"""The whole probe, with an R that is full of secrets: none is in its answer."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from sandbox.facts.collect import compose
from sandbox.probe.script import Taking
from sandbox.probe.untaken import HashKey
from tests import harmless_settings
from tests.conftest import cannot_run
from tests.secrets_of_all_shapes import WORDS, traces, values


@pytest.fixture(autouse=True)
def _needs_r() -> None:
    if shutil.which("R") is None:
        cannot_run("R is not installed: apt-get install r-base-core")


_MIXED, _WORD, _DIGITS = WORDS["mixed"], WORDS["word"], WORDS["digits"]
_KEY = HashKey("00112233445566778899aabbccddeeff")

# Each of them with the word in it; where a plain word is a name, it stands in the mixed ones alone
_CODE = """
password <- paste0(
  "{}")
"{}" -> token
assign("pw", "{}")
x <- c(a = "{}", "b{}")
y <- list(password = "{}")[["password"]]
z <- c("{}", "b")[2]
f <- function(m, a = "{}", b = paste("x", "{}")) {{ "{}"; a }}
k <- switch("a", a = "{}", "{}")
if (FALSE) "{}" else '{}'
# a comment {}
r <- r"---({})---"
raw <- R"[{}]"
g <- quote(call("{}", "{}"))
e <- ~ "{}"
n <- sprintf("%s:%s", "app", "{}")
h <- "https://bot:{}@cran.example.org/x"
options(my.option = "{}", digits = 5, my.list = list(a = "{}"), my.vector = c(u = "app", p = "{}"))
options(repos = c(CRAN = "https://user:{}@cran.example.org/src", X = "https://x.example.org/{}9q8z7w/"))
Sys.setenv(OMP_NUM_THREADS = "{}!", TZ = "Europe/{}/9", DB_CREDS = "app:{}", PLAIN = "{}")
Sys.setenv(R_LIBS_SITE = "{}:/x", http_proxy = "http://u:{}@proxy:3128")
attr(x, "note") <- "{}"
options(my.call = bquote(f(.(structure(NA, note = "{}")), .(c(u = "{}", v = "b")))))
options(my.noted = bquote(f(.(structure(quote(g()), note = "{}")), .(list(a = "{}")))))
options(my.object = structure(list(a = "{}"), class = "{}!"), my.named = c(a = "{}", b = "x"))
options(my.function = function(a = "{}") paste(a, "{}"), my.formula = y ~ "{}")
options(my.note = structure(TRUE, note = "{}"))
names(x) <- c("{}!", "q")
message("connecting with {}")
cat("token {}\\n")
cat("{}", file = stderr())
warning("login failed for {}")
try(stop("no such key: {}"), silent = FALSE)
message("Error in library(DT) : there is no package called '{}!x9'")
setHook(packageEvent("stats", "attach"), function(...) "{}")
local({{
  s <- "unclosed ( {}"
  `names<-`(1, "{}")
  s
}})
"""
_NUMBERS = """
pin <- {}
pin2 <- {}L
options(my.pin = {}, mc.cores = {})
u <- c({}, -{}, {}i)
v <- function(p = {}) p + {}
"""


def _answer(tmp_path: Path, profile: bytes, **environment: str) -> str:
    """The whole answer of this machine to the real script, as it would go over ssh."""
    file = tmp_path / "Rprofile.site"
    file.write_bytes(profile)
    script = compose("BOUNDARY", taking=Taking(key=_KEY), use_sudo=False, timeout_s=90)
    done = subprocess.run(
        ["sh", "-s"],
        input=script.encode(),
        capture_output=True,
        timeout=120,
        env={**os.environ, "R_PROFILE": str(file), **environment},
        check=True,
    )
    out = done.stdout.decode("utf-8", "replace")
    assert "\nBOUNDARY\tsection\tend\n" in out
    return out


def _lines_with(out: str, word: str) -> list[str]:
    return [line[:300] for line in out.splitlines() if traces(line, word)]


@pytest.mark.parametrize("word", [_MIXED, _WORD, _DIGITS], ids=["mixed", "word", "digits"])
def test_no_secret_of_code_environment_or_options(tmp_path: Path, word: str) -> None:
    profile = _CODE.replace("{}", word).replace("{{", "{").replace("}}", "}")
    if word == _DIGITS:
        profile += _NUMBERS.replace("{}", word)
    if word == _MIXED:
        profile += f"`{word}` <- 1\nf({word} = 2)\nx${word}\ny <- {word}::{word}\n"
        profile = f"{word}9 <- function({word}) NULL\n{profile.replace(f'x${word}', '')}"
        profile = profile.replace(f"f({word} = 2)\n", "").replace(f"y <- {word}::{word}\n", "")
    shapes = [text for text in values(word).values() if text.isascii() and text.isprintable()]
    environment = {f"SETTING_{'ABCDEFGHIJ'[n // 10]}{n % 10}": v for n, v in enumerate(shapes[:40])}
    environment |= {"OMP_SCHEDULE": f"{word}!", "R_PAPERSIZE": f"{word}", "LC_PAPER": f"{word}@x"}
    out = _answer(tmp_path, profile.encode(), **environment)
    assert "code\t" in out
    assert "digits = 5" in out
    assert _lines_with(out, word) == []


@pytest.mark.parametrize(
    "profile",
    [
        f'x <- "{_MIXED}\n'.encode(),
        f"options(digits = 4\n'{_MIXED}'".encode(),
        b'x <- "p\xe4ss ' + _MIXED.encode() + b'"\n',
        b'# \xfc\noptions(my.x = "\xe4' + _MIXED.encode() + b'")\n',
        b'x <- "' + _MIXED.encode() * 30_000 + b'"\n',
        b"x <- c(" + b", ".join(b'"' + _MIXED.encode() + b'"' for _ in range(5000)) + b")\n",
        f'stop("{_MIXED}")\n'.encode(),
        f'cat("{_MIXED}\\n"); quit(status = 3)\n'.encode(),
    ],
    ids=[
        "open quote",
        "open call",
        "latin 1",
        "latin 1 in options",
        "long",
        "many",
        "stops",
        "quits",
    ],
)
def test_a_profile_that_is_odd(tmp_path: Path, profile: bytes) -> None:
    start = time.monotonic()
    out = _answer(tmp_path, profile)
    assert _lines_with(out, _MIXED) == []
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("kind", ["folder", "missing"])
def test_a_profile_that_is_no_file(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "odd"
    if kind == "folder":
        place.mkdir()
    out = _answer(tmp_path, b"", R_PROFILE=str(place))
    assert "end-of-facts" in out


def test_harmless_code_comes_through(tmp_path: Path) -> None:
    skipped = ("setwd", "source(", "<?>")
    code = [one for one in harmless_settings.CODE if not any(word in one for word in skipped)]
    out = _answer(tmp_path, "\n".join(code).encode())
    shown = [line.split("\t")[5] for line in out.splitlines() if "\tfact\tcode\t" in line]
    assert [one.replace("\\n", "\n") for one in shown] == code
