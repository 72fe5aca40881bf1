"""Code of a box runs on this host when somebody has agreed to just these bytes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.errors import ExitCode, HostError, UsageError
from sandbox.paths import data_dir
from sandbox.trust import MAX_CODE_BYTES, Consent, HostCode, agreed_code
from sandbox.trust_store import TrustStore

CODE = "def test_it(): pass\n"
NOBODY = Consent()


class Person:
    """Answers, and keeps what it was shown."""

    def __init__(self, *, says: bool) -> None:
        self.says = says
        self.shown: list[HostCode] = []

    def __call__(self, code: HostCode, _: str) -> bool:
        self.shown.append(code)
        return self.says


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "boxes" / "test_it.py"
    path.parent.mkdir()
    path.write_text(CODE)
    return path


def ask(file: Path, consent: Consent) -> tuple[HostCode, ...]:
    return agreed_code([file], file.with_name("box.yml"), "checks", consent)


def test_nobody_to_ask_is_a_refusal_that_says_how_to_go_on(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ask(file, NOBODY)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint == f"read it, then: sandbox trust {file}, or say --trust"
    TrustStore().add(file)
    assert ask(file, NOBODY)[0].content == CODE.encode()


def test_a_yes_is_remembered_for_this_place_and_this_content(file: Path) -> None:
    person = Person(says=True)
    assert ask(file, Consent(person))[0].text == CODE
    ask(file, Consent(person))
    assert len(person.shown) == 1
    file.write_text(CODE + "import os\n", encoding="utf-8")
    with pytest.raises(UsageError):
        ask(file, NOBODY)
    ask(file, Consent(person))
    assert len(person.shown) == 2
    file.write_text(CODE, encoding="utf-8")
    ask(file, NOBODY)
    other = file.with_name("test_other.py")
    other.write_text(CODE)
    with pytest.raises(UsageError):
        ask(other, NOBODY)


def test_a_no_is_a_refusal_and_is_not_remembered(file: Path) -> None:
    person = Person(says=False)
    for _ in range(2):
        with pytest.raises(UsageError, match="you did not agree"):
            ask(file, Consent(person))
    assert len(person.shown) == 2


def test_trust_on_the_command_line_asks_nobody_and_is_remembered(file: Path) -> None:
    person = Person(says=False)
    ask(file, Consent(person, is_given=True))
    assert not person.shown
    ask(file, NOBODY)


def test_a_trusted_folder_holds_whatever_is_in_it(file: Path) -> None:
    TrustStore().add(file.parent)
    file.write_text("anything", encoding="utf-8")
    ask(file, NOBODY)
    outside = file.parents[1] / "test_it.py"
    outside.write_text(CODE)
    link = file.with_name("test_link.py")
    link.symlink_to(outside)
    with pytest.raises(UsageError):
        ask(link, NOBODY)
    assert TrustStore().remove(file.parent)
    assert not TrustStore().remove(file.parent)
    with pytest.raises(UsageError):
        ask(file, NOBODY)


def test_shipped_code_needs_nobodys_word_but_only_for_a_shipped_box(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.trust.data_dir", lambda _: file.parent)
    assert agreed_code([file], file.with_name("box.yml"), "checks", NOBODY)
    with pytest.raises(UsageError):
        agreed_code([file], tmp_path / "box.yml", "checks", NOBODY)
    assert data_dir("boxes").is_dir()


@pytest.mark.parametrize(
    "content",
    [
        b"# -*- coding: utf-7 -*-\n",
        b"# coding: rot13\n",
        b"# coding: latin-1\nx = '\xe9'\n",
        b"x = '\xff'\n",
        b"#" * (MAX_CODE_BYTES + 1),
    ],
)
def test_what_a_person_cannot_read_is_not_agreed_to(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError):
        ask(file, Consent(is_given=True))


def test_the_bytes_that_were_agreed_to_are_handed_on(file: Path) -> None:
    def ask_and_change(code: HostCode, _: str) -> bool:
        code.path.write_text("import os; os.system('id')\n")
        return True

    (code,) = ask(file, Consent(ask_and_change))
    assert code.content == CODE.encode()
    with pytest.raises(UsageError):
        ask(file, NOBODY)


def test_the_store_is_for_its_owner_alone_and_whole(file: Path) -> None:
    store = TrustStore()
    store.add(file)
    store.add(file.parent)
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in store.path.parent.iterdir()] == ["trusted.json"]
    assert json.loads(store.path.read_text())["folders"] == [str(file.parent)]


def damaged(path: Path) -> None:
    path.write_text("{", encoding="utf-8")


def writable(path: Path) -> None:
    path.chmod(0o666)


def linked(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


@pytest.mark.parametrize("spoil", [damaged, writable, linked])
def test_a_store_that_cannot_be_believed_agrees_to_nothing(
    file: Path, spoil: Callable[[Path], None]
) -> None:
    TrustStore().add(file)
    spoil(TrustStore().path)
    with pytest.raises(HostError) as caught:
        ask(file, NOBODY)
    assert f"rm {TrustStore().path}" in caught.value.hint


@pytest.mark.parametrize("name", ["/", "~", "~/.."])
def test_a_folder_of_all_that_is_downloaded_is_not_trusted(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    with pytest.raises(UsageError, match="all that you ever download"):
        TrustStore().add(Path(name).expanduser())
