"""R's own parser against our reader: the same words at the same lines, and nothing is run."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from sandbox.paths import data_dir
from sandbox.r_code.app import read_app
from sandbox.r_code.r_parser import parse_all
from sandbox.r_code.tokens import Token, tokens_of
from tests.conftest import cannot_run

ODD = r"""
x <- r"(a "b" )c)"; r"---[ ]--" ]---"; 'it\'s'; `my name`(1); a::b; "x\ny"; \(x) x |> f()
1e-5L; 0x1FL; .5; ..1; "é"; é <- 2; x$`a b`; x@y; if (TRUE) NULL else NA; a %in% b; x[[1]][2]
-x ** 2; f = function(x) x; y := 3; "multi
line"; 'a"b' # "a comment'
"""


@pytest.fixture(scope="session", autouse=True)
def r() -> None:
    if shutil.which("Rscript") is None:
        cannot_run("R is not installed: tools/prepare.sh --test brings it")


def words(tokens: tuple[Token, ...] | list[Token]) -> list[Token]:
    return [token for token in tokens if token.text != ";"]


def same(texts: list[str]) -> None:
    for text, parsed in zip(texts, parse_all(texts), strict=True):
        assert parsed.error == "", text[:200]
        assert words(parsed.tokens) == words(tokens_of(text)), text[:200]


def test_odd_code_is_cut_alike() -> None:
    same([ODD, "", "\n\n", "# only a comment", "library(shiny)", "x <- 1\n\n\ny"])


def test_all_of_rs_own_code_is_cut_alike(tmp_path: Path) -> None:
    """Every function of R's own packages: 2,000 pieces that nobody wrote for this test."""
    script = """
      for (package in c("base", "stats", "utils", "tools", "graphics", "methods"))
        for (name in ls(asNamespace(package), all.names = TRUE)) {
          value <- get(name, asNamespace(package))
          if (is.function(value) && !is.primitive(value))
            cat(deparse(value), sep = "\\n", append = TRUE,
                file = file.path(commandArgs(TRUE), paste0(package, ".R")))
        }
    """
    subprocess.run(
        ["Rscript", "--vanilla", "-e", script, tmp_path],
        check=True,
        timeout=120,
        capture_output=True,
    )
    texts = [
        # Where it was compiled, and the like: no code
        "\n".join(line for line in path.read_text().splitlines() if not line.startswith("<"))
        for path in sorted(tmp_path.glob("*.R"))
    ]
    assert sum(map(len, texts)) > 1_000_000
    same(texts)


def test_code_is_read_and_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "MARK"
    code = (
        f"file.create('{mark}'); `file.create`('{mark}'); 'a' -> b\n#' @eval file.create('{mark}')"
    )
    (tmp_path / ".Rprofile").write_text(f"file.create('{mark}')")
    parse_all([code])
    assert not mark.exists()


def test_what_r_cannot_read_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "app.R").write_text("library(shiny)\nlibrary(DT))\n")
    code = read_app(tmp_path)
    (one,) = code.unreadable
    assert (one.line, one.why) == (2, "unexpected ')'")
    assert one.r_version >= (4, 0)
    # Our reader takes over
    assert code.packages == ("DT", "shiny")


def test_it_takes_less_than_two_seconds() -> None:
    started = time.monotonic()
    assert "shiny" in read_app(data_dir("boxes") / "apps" / "faithful").packages
    assert time.monotonic() - started < 2
