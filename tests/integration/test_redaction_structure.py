"""Redaction hides words and never changes the shape of what they stand in."""

import shutil
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.facts.subjects.shiny import statements
from sandbox.probe.script import Taking
from tests.integration.test_redaction import _KEY, _through

_words = st.sampled_from(
    ["listen", "location", "/token", "/x9Kq2Lm7Tok", "server", "3838", "a;b", "{", "}", "a b", "#x",
     "it's", "app_dir", "/srv/x", "p4ss=word", "run_as", "shiny", ""]
) | st.text("ab{}; #/'\t19\u00e4", max_size=8)  # fmt: skip
Tree = list[tuple[list[str], "Tree | None"]]
_leaf = st.tuples(st.lists(_words, min_size=1, max_size=3), st.none())
_tree: st.SearchStrategy[Tree] = st.recursive(
    st.lists(_leaf, max_size=3),
    lambda inner: st.lists(
        st.tuples(st.lists(_words, min_size=1, max_size=3), st.none() | inner), max_size=3
    ),
    max_leaves=8,
)


def _written(tree: Tree) -> str:
    lines = []
    for words, inner in tree:
        head = " ".join(f'"{word}"' for word in words)
        lines.append(f"{head};" if inner is None else f"{head} {{\n{_written(inner)}}}")
    return "".join(f"{line} # a }} comment {{\n" for line in lines)


def _shape(tree: Tree, depth: int = 0) -> list[tuple[int, bool]]:
    found = []
    for words, inner in tree:
        if words[0]:
            found.append((depth, inner is not None))
        found += _shape(inner or [], depth + (inner is not None))
    return found


def _read(text: str) -> list[tuple[int, bool]]:
    return [(len(one.within), one.block) for one in statements(text)]


@pytest.mark.parametrize("asked_for", [False, True], ids=["closed", "all is taken"])
def test_statements_of_shiny_server_keep_their_braces_and_number(asked_for: bool) -> None:
    taking = Taking(files=("/etc/x",) if asked_for else ())

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_tree)
    def check(tree: Tree) -> None:
        if any(not words[0] for words, _ in _all(tree)):
            return
        out = _through(_written(tree), "probe_place=/etc/x; take shiny", taking=taking)
        # The sign before a hash begins no comment
        out = out.replace(" characters>", " characters, #0123456789ABCDEF>")
        assert _read(out) == _shape(tree)

    check()


def _all(tree: Tree) -> Sequence[tuple[list[str], Tree | None]]:
    return [*tree, *(one for _, inner in tree for one in _all(inner or []))]


def test_a_location_with_a_token_through_all_of_it() -> None:
    text = "server {\n location /x9Kq2Lm7Tok {\n  app_dir /srv/sales;\n }\n listen 3838;\n}"
    out = _through(text, "take shiny", taking=Taking(key=_KEY))
    assert "x9Kq2Lm7Tok" not in out
    found = [(len(one.within), one.name) for one in statements(out)]
    assert found == [(0, "server"), (1, "location"), (2, "app_dir"), (1, "listen")]


def test_a_section_with_a_comment_behind_it_is_a_section() -> None:
    text = "[first]\nwww-port=1\n[second] ; the other\nwww-port=2\n[third]# x\nwww-port=3"
    out = _through(text, "take ini rstudio", taking=Taking())
    assert out == "first.www-port\t1\nsecond.www-port\t2\nthird.www-port\t3\n"


def test_what_stands_in_braces_of_json_has_their_name() -> None:
    text = '{\n "a": true,\n "b": {\n  "a": false,\n  "c": {\n   "a": null\n  }\n },\n "d": true\n}'
    out = _through(text, "take json rstudio", taking=Taking())
    assert out == "a\ttrue\nb.a\tfalse\nb.c.a\tnull\nd\ttrue\n"


@pytest.fixture(autouse=True)
def _needs_mawk() -> None:
    assert shutil.which("mawk"), "mawk is Debian's awk, and is in every one of our images"
