"""YAML with positions: what a file may be, and what is said of one that is none."""

from pathlib import Path

import pytest

from sandbox.spec.source import MAX_BYTES, parse_source, read_source

HERE = Path("box.yml")


def messages(text: str) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in parse_source(HERE, text).problems]


def plain(text: str) -> object:
    parsed = parse_source(HERE, text)
    assert parsed.problems == []
    assert parsed.top is not None
    return parsed.top.plain()


def test_every_value_knows_its_line_and_key() -> None:
    top = parse_source(HERE, "a:\n  b: [1,\n      2]\n  c:\n    - d: x\n").top
    assert top is not None
    places = [(("a", "b", 1), 3, "a.b[1]"), (("a", "c", 0, "d"), 5, "a.c[0].d")]
    for loc, line, key in places:
        value = top.get(*loc)
        assert value is not None
        assert (value.line, value.key) == (line, key)


def test_scalars_follow_yaml_1_2() -> None:
    words = ["no", "yes", "on", "2024-01-01", "12:30", "1_000"]
    assert plain(f"a: [{', '.join(words)}]") == {"a": words}
    assert plain("a: [010, 1e3, -3, 4.2, true]") == {"a": [10, 1000.0, -3, 4.2, True]}
    assert plain("a: [~, null, '5', '', !!str 5]") == {"a": [None, None, "5", "", "5"]}


def test_an_alias_is_its_value_with_its_own_place() -> None:
    top = parse_source(HERE, "a: &x [1, 2]\nb: *x\n").top
    assert top is not None
    assert top.plain() == {"a": [1, 2], "b": [1, 2]}
    second = top.get("b")
    assert second is not None
    assert second.line == 2


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 0, "it is empty; a box says at least `version: 1` and `base: debian-12`"),
        (
            "# nothing\n",
            0,
            "it is empty; a box says at least `version: 1` and `base: debian-12`",
        ),
        ("- a\n- b\n", 1, "a box is a map of keys and values, and this is a list"),
        ("\njust words\n", 2, "a box is a map of keys and values, and this is one bare value"),
        ("a: 1\n\tb: 2\n", 2, "a tab indents this line; YAML wants spaces there"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "`c` is there twice; first in line 3"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins here (`---`); a box file holds one"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, None),
        ("a: !vault x\n", 1, "the tag `!vault` is not allowed: plain values only"),
        ("a: !!binary aGk=\n", 1, "the tag `!!binary` is not allowed: plain values only"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "YAML's merge key is not supported; use `extends`"),
        ("a: &x [*x]\n", 1, "an alias (`*`) points to the value that it stands in"),
        ("a: *x\n", 1, "not valid YAML: found undefined alias 'x'"),
        ("a: [1, 2\nb: 3\n", 2, None),
        ("a: 1\nb: x\x07y\n", 2, "a character that YAML does not allow: U+0007"),
        ('a: "\\ud800"\n', 1, "an escape that stands for no character"),
        ('"\\udfff": 1\n', 1, "a key with an escape that stands for no character"),
        ("a: .inf\n", 1, "`.inf` is not a finite number"),
        ("a: 1e999\n", 1, "`1e999` is not a finite number"),
        ("? [a]\n: b\n", 1, "a key must be plain text, not a list or a map"),
    ],
)
def test_what_is_no_box_is_said_in_plain_words(text: str, line: int, message: str | None) -> None:
    found = messages(text)
    assert [at for at, _ in found] == [line]
    if message is not None:
        assert found == [(line, message)]


def test_duplicates_are_all_found_at_any_depth() -> None:
    assert messages("a: 1\na: 2\nb: {c: 1, c: 2}\n") == [
        (2, "`a` is there twice; first in line 1"),
        (3, "`c` is there twice; first in line 3"),
    ]


def test_an_escape_beyond_unicode_is_a_problem() -> None:
    assert messages('a: "\\UFFFFFFFF"\n') == [(0, "an escape that stands for no character")]


def test_a_file_that_multiplies_itself_is_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert messages("\n".join(lines)) == [(0, "its aliases multiply it beyond 20000 values")]


def test_deep_nesting_is_stopped() -> None:
    found = messages("a: " + "[" * 5000)
    assert [(line, text) for line, text in found] == [
        (1, "not valid YAML: it is nested too deeply")
    ]


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"a: 1\nb: caf\xe9\n", 2, "byte 0xe9 is not UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, "byte 0xff is not UTF-8"),
        (b"#" * (MAX_BYTES + 1), 0, "it is larger than 128 kB, which no box file needs to be"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, data: bytes, line: int, message: str) -> None:
    path = tmp_path / "box.yml"
    path.write_bytes(data)
    assert [(one.line, one.message) for one in read_source(path).problems] == [(line, message)]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "box.yml"
    path.write_bytes("\ufeffa: 1\r\nb: 2\r\n".encode())
    top = read_source(path).top
    assert top is not None
    assert top.plain() == {"a": 1, "b": 2}


def test_what_is_not_a_file(tmp_path: Path) -> None:
    assert [one.message for one in read_source(tmp_path).problems] == ["it is a folder, not a file"]
    assert [one.message for one in read_source(tmp_path / "no").problems] == [
        "there is no such file"
    ]
    assert [one.message for one in read_source(Path("a\0b")).problems] != []
    long = tmp_path / ("x" * 300)
    assert [one.message for one in read_source(long).problems] == [
        "it cannot be read: File name too long"
    ]


def test_a_private_key_is_never_shown() -> None:
    text = (
        "version: 1\nusers:\n  - name: anna\n    ssh_keys:\n"
        "    -----BEGIN OPENSSH PRIVATE KEY-----\n    c2VjcmV0: [\n"
        "    -----END OPENSSH PRIVATE KEY-----\n"
    )
    problems = parse_source(HERE, text).problems
    assert problems
    assert "c2VjcmV0" not in "\n".join(str(problem) for problem in problems)


def test_control_characters_do_not_reach_the_terminal() -> None:
    (problem,) = parse_source(HERE, 'a: !x "\\e[2J"\n"\\e[2J": 1\n"\\e[2J": 2\n').problems[1:]
    assert "\x1b" not in str(problem)
