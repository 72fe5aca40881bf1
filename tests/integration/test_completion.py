"""The Tab key in real shells: what is offered, what is put into the line, and how it is quoted."""

import json
import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.record import Record
from sandbox.state import Instance
from tests.conftest import ROOT, SANDBOX, cannot_run
from tests.unit.factories import plain_sandbox, shiny_sandbox

SHELLS = ROOT / "sandbox" / "cli" / "shells"
# The real one answers the completion; a command that is run writes down what it was given
STAND_IN = """\
#!/bin/sh
if [ -n "${_SANDBOX_COMPLETE:-}" ]; then
    "%s" "$@"
    touch ~/answered
else
    for word in "$@"; do printf '%%s\\n' "$word"; done >~/given.new
    mv ~/given.new ~/given
fi
"""
START = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
}
READY = {
    "bash": "PS1='ready> '; . '{}'",
    "zsh": "PS1='ready> '; unsetopt beep; autoload -Uz compinit; compinit -D -u; . '{}'",
}
ODD = ("my box.yml", "it's.yml", "a$b.yml", "c(d)&.yml", 'quo"te.yml')


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with boxes and facts, two sandboxes, and `sandbox` on the PATH."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Instance("shiny").write(Record(placement=shiny_sandbox()))
    Instance("prod-copy").write(Record(placement=plain_sandbox("prod-copy")))
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "sandbox"
    stand_in.write_text(STAND_IN % SANDBOX)
    stand_in.chmod(0o755)
    folder = tmp_path / "here"
    (folder / "deep er").mkdir(parents=True)
    for name in (*ODD, "prod.facts.json", "notes.txt", "deep er/below.yml"):
        (folder / name).touch()
    for name, value in {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PYTHONPATH": str(ROOT),
        "SANDBOX_INCUS_PREFIX": "sbxnone",
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return tmp_path


class Terminal:
    """A shell on a terminal, and a person who types."""

    def __init__(self, master: int, home: Path) -> None:
        self.master = master
        self.home = home
        self.said = ""

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def listen(self, is_enough: Callable[[], object], *, timeout_s: float = 30) -> None:
        """Until then; and a little longer, for what is drawn last."""
        deadline = time.monotonic() + timeout_s
        while not is_enough():
            assert time.monotonic() < deadline, f"it never came:\n{self.said}"
            self._read(0.05)
        while self._read(0.2):
            pass

    def given(self, keys: str) -> list[str]:
        """What the command gets when this is typed, with Tab, and Enter behind it."""
        answered, given = self.home / "answered", self.home / "given"
        given.unlink(missing_ok=True)
        for part in keys.split("\t")[:-1]:
            answered.unlink(missing_ok=True)
            # What is typed before the answer has come would stand in the middle of it
            self.type(f"{part}\t")
            self.listen(answered.exists)
        self.type("\r")
        self.listen(given.exists)
        return given.read_text().splitlines()

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        self.said += os.read(self.master, 65536).decode("utf-8", "replace")
        return True


@contextmanager
def terminal(shell: str, home: Path) -> Iterator[Terminal]:
    if shutil.which(shell) is None:
        cannot_run(f"{shell} is not installed: tools/prepare.sh --test")
    master, slave = pty.openpty()
    with subprocess.Popen(
        START[shell], stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ) as process:
        os.close(slave)
        one = Terminal(master, home)
        try:
            script = READY[shell].format(SHELLS / f"sandbox.{shell}")
            one.type(f"{script}; stty columns 200; echo set-''up\r")
            one.listen(lambda: "set-up" in one.said)
            yield one
        finally:
            process.kill()
            os.close(master)


@pytest.mark.parametrize("shell", START)
def test_words_are_completed_and_quoted(home: Path, shell: str) -> None:
    with terminal(shell, home) as one:
        for keys, words in {
            "sandbox star\tshi\t": ["start", "shiny"],
            "sandbox destroy shiny pro\t": ["destroy", "shiny", "prod-copy"],
            "sandbox up my\t": ["up", "my box.yml"],
            "sandbox up it\t": ["up", "it's.yml"],
            "sandbox up a\t": ["up", "a$b.yml"],
            "sandbox up 'my\t": ["up", "my box.yml"],
            'sandbox up "my\t': ["up", "my box.yml"],
            "sandbox up my\\ \t": ["up", "my box.yml"],
            "sandbox up c\t": ["up", "c(d)&.yml"],
            "sandbox up quo\t": ["up", 'quo"te.yml'],
            "sandbox up dee\tbel\t": ["up", "deep er/below.yml"],
            "sandbox up ./dee\tbel\t": ["up", "./deep er/below.yml"],
            "sandbox up x --provider inc\t": ["up", "x", "--provider", "incus"],
            "sandbox up x --provider=inc\t": ["up", "x", "--provider=incus"],
            "sandbox check shiny --go\tcor\t": ["check", "shiny", "--goal", "correct"],
            "sandbox diff prod.\tshi\t": ["diff", "prod.facts.json", "shiny"],
        }.items():
            assert one.given(keys) == words, keys


@pytest.mark.parametrize("shell", START)
def test_where_nothing_of_ours_is_meant_files_are_completed(home: Path, shell: str) -> None:
    with terminal(shell, home) as one:
        assert one.given("sandbox up x --secrets not\t") == ["up", "x", "--secrets", "notes.txt"]


@pytest.mark.parametrize("shell", START)
def test_nothing_is_said_when_it_fails(home: Path, shell: str) -> None:
    (home / "bin" / "sandbox").write_text("#!/bin/sh\ntouch ~/asked\necho oh no >&2\nexit 70\n")
    with terminal(shell, home) as one:
        one.type("sandbox up shi\t")
        one.listen((home / "asked").exists)
        assert "oh no" not in one.said


def fish(line: str) -> list[str]:
    if shutil.which("fish") is None:
        cannot_run("fish is not installed: tools/prepare.sh --test")
    script = f"source '{SHELLS / 'sandbox.fish'}'; complete -C \"$LINE\""
    done = subprocess.run(
        ("fish", "--no-config", "-c", script),
        env={**os.environ, "LINE": line},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return [row.partition("\t")[0] for row in done.stdout.splitlines()]


def test_fish_is_offered_the_same(home: Path) -> None:
    assert fish("sandbox star") == ["start"]
    assert {"shiny", "prod-copy", "deep er/", "r"} <= set(fish("sandbox up "))
    assert "notes.txt" not in fish("sandbox up ")
    assert fish("sandbox destroy shiny pr") == ["prod-copy"]
    assert fish("sandbox up x --provider=inc") == ["--provider=incus"]
    assert set(fish("sandbox diff shiny prod")) == {"prod-copy", "prod.facts.json"}
    assert "notes.txt" in fish("sandbox up x --secrets n")
    (row,) = fish("sandbox up my")
    assert row.replace("\\", "") == "my box.yml"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_is_installed_once_and_works_in_the_next_shell(home: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        cannot_run(f"{shell} is not installed: tools/prepare.sh --test")
    for _ in range(2):
        done = subprocess.run(
            (shell, "-c", f"'{SANDBOX}' --install-completion; true"),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert "wrote " in done.stderr, done.stderr
    if shell == "fish":
        script = 'complete -C "sandbox destroy shi"'
        asked = subprocess.run(("fish", "-c", script), capture_output=True, text=True, check=True)
        assert asked.stdout.split() == ["shiny"]
        return
    start = home / f".{shell}rc"
    assert start.read_text().count("Completion of sandbox") == 1
    seen = {"bash": "complete -p sandbox", "zsh": "print $_comps[sandbox]"}[shell]
    asked = subprocess.run((shell, "-ic", seen), capture_output=True, text=True, check=True)
    assert "_sandbox" in asked.stdout


def test_it_is_fast_and_light(home: Path) -> None:
    """At each press of a key; 0.6 s is what `list` may take."""
    tell = (
        "import atexit, json, sys\nfrom sandbox.cli.app import main\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\nmain()\n"
    )
    done = subprocess.run(
        ("python", "-c", tell, "up", "shi"),
        env={**os.environ, "_SANDBOX_COMPLETE": "fish", "PATH": f"{SANDBOX.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "shiny\n"
    heavy = {"pydantic", "yaml", "jinja2", "paramiko", "ansible", "testinfra", "rich.console"}
    assert heavy & set(json.loads(done.stderr.splitlines()[-1])) == set()
