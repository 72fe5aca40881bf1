"""What the Tab key is offered; how shells put it into a line is tested with real ones."""

from pathlib import Path

import pytest

from sandbox.cli import app, complete, completion
from sandbox.cli.completion import Candidate, completions, read_line
from sandbox.errors import ProviderError, UsageError
from sandbox.events import ignore
from sandbox.providers.engine import MachineSpec
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.record import Record
from sandbox.state import Instance
from tests.unit.factories import plain_sandbox, shiny_sandbox


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Instance("shiny").write(Record(placement=shiny_sandbox()))
    Instance("plain").write(Record(placement=plain_sandbox()))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def words(*typed: str) -> list[str]:
    return [one.value for one in completions([*typed[:-1]], typed[-1])]


def test_commands_are_those_of_the_table() -> None:
    everything = sorted(name for names in app.GROUPS.values() for name in names)
    assert words("") == everything
    assert words("sn") == ["snapshot"]
    assert "--install-completion" in words("--")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("start", ""), ["plain", "shiny"]),
        (("status", "sh"), ["shiny"]),
        (("destroy", "shiny", ""), ["plain"]),
        (("check", "shiny", "--goal", ""), ["up", "safe", "correct", "snappy"]),
        (("up", "--provider", ""), ["incus", "libvirt", "virtualbox"]),
        (("host", "setup", "--provider", "l"), ["libvirt"]),
        (("up", "--base-source", "b"), ["build"]),
        (("snapshot", ""), ["save", "restore", "list", "delete"]),
        (("snapshot", "save", ""), ["plain", "shiny"]),
        (("nonsense", ""), []),
    ],
)
def test_each_place_has_its_words(typed: tuple[str, ...], offered: list[str]) -> None:
    assert words(*typed) == offered


@pytest.mark.parametrize("command", ["up", "validate", "render", "bake"])
def test_boxes_are_files_here_and_those_that_come_with_us(here: Path, command: str) -> None:
    (here / "mine.yml").touch()
    (here / "mine.txt").touch()
    (here / ".hidden.yml").touch()
    offered = words(command, "")
    assert {"mine.yml", "r-4.5"} <= set(offered)
    assert {"mine.txt", ".hidden.yml"} & set(offered) == set()
    assert words(command, "mi") == ["mine.yml"]
    assert words(command, f"{here}/m") == [f"{here}/mine.yml"]
    assert words(command, "/no/such/folder/x") == []


def test_sides_of_a_diff(here: Path) -> None:
    for name in ("prod.facts.json", "prod.yml", "prod.json"):
        (here / name).touch()
    assert words("diff", "prod.yml", "pr") == ["prod.facts.json", "prod.yml"]
    assert "shiny" in words("diff", "")
    assert words("check", "shiny", "--against", "p") == ["prod.facts.json"]


def test_a_name_that_is_no_single_line_is_not_offered(here: Path) -> None:
    (here / "a\nb.yml").touch()
    (here / "a\x1b]0;x\x07.yml").touch()
    assert words("up", "a") == []


def test_snapshots_are_those_of_the_sandbox_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine(tmp_path / "machines")
    spec = MachineSpec("plain", "img", 1, 512, 4, "ssh-ed25519 AAAA", Instance("plain").folder)
    engine.create(spec, ignore)
    engine.save_snapshot("plain", "before", ignore)
    engine.save_snapshot("plain", "provisioned", ignore)
    monkeypatch.setattr("sandbox.providers.load_provider", lambda _: FakeProvider(engine))
    assert words("snapshot", "restore", "plain", "") == ["before", "provisioned"]
    assert words("snapshot", "delete", "plain", "b") == ["before"]
    assert words("snapshot", "delete", "nobody", "") == []
    engine.failures["snapshots"] = ProviderError("it does not answer")
    assert words("snapshot", "delete", "plain", "") == []


def test_apps_are_those_of_the_sandbox_that_is_named() -> None:
    class Context:
        def __init__(self, name: str) -> None:
            self.params = {"name": name}

    assert complete.complete_app(Context("shiny"), "") == ["faithful"]  # type: ignore[arg-type]
    assert complete.complete_app(Context("shiny"), "x") == []  # type: ignore[arg-type]
    assert complete.complete_app(Context("nobody"), "") == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "before", "last", "quote"),
    [
        ("sandbox up ", ("sandbox", "up"), "", ""),
        ("sandbox up my\\ b", ("sandbox", "up"), "my b", ""),
        ("sandbox up 'my b", ("sandbox", "up"), "my b", "'"),
        ('sandbox up "my \\$b\\x', ("sandbox", "up"), "my $b\\x", '"'),
        ("sandbox up 'a b' c\"d\"e", ("sandbox", "up", "a b"), "cde", ""),
        ("sandbox up '' x", ("sandbox", "up", ""), "x", ""),
        ("sandbox up --name=", ("sandbox", "up"), "--name=", ""),
        ("sandbox up it\\'s", ("sandbox", "up"), "it's", ""),
    ],
)
def test_a_line_is_read_as_bash_reads_it(
    line: str, before: tuple[str, ...], last: str, quote: str
) -> None:
    read = read_line(line)
    assert (read.words, read.last, read.quote) == (before, last, quote)


def test_bash_gets_the_rest_of_a_word_that_it_cuts_in_two(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It begins words again behind a colon."""
    (here / "a:b c.yml").touch()
    completion.answer("bash", ["b", "sandbox up a:b"])
    assert capsys.readouterr().out == "b\\ c.yml\n"


@pytest.mark.parametrize("argv", [["bash"], ["zsh"], ["fish", "up", ""]])
def test_a_failure_is_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    def fail(*_: object) -> list[Candidate]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(completion, "completions", fail)
    monkeypatch.setattr("sys.argv", ["sandbox", *argv[1:]])
    monkeypatch.setenv("_SANDBOX_COMPLETE", argv[0])
    with pytest.raises(SystemExit) as caught:
        app.main()
    assert caught.value.code == 1
    assert capsys.readouterr() == ("", "")


def test_another_shell_is_told_which_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("tcsh", "/bin/tcsh"))
    with pytest.raises(UsageError, match="no completion for the shell `tcsh`") as caught:
        completion.this_shell()
    assert "bash, zsh, fish" in caught.value.details
