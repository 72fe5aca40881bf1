"""The signals that end the program: each cleanly, with a word, and no process left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import is_alive, wait_until

PROGRAM = """
import sys
from pathlib import Path
from sandbox.cli import app
from sandbox.run import run
from sandbox.state import locked

class Fake:
    def __call__(self):
        try:
            with locked("shiny"):
                run(("sh", "-c", {script!r}), timeout_s=60, grace_s={grace_s})
        finally:
            Path({mark!r}).write_text("cleaned up")

app.program = lambda words: Fake()
sys.argv = ["sandbox", *{words!r}]
app.main()
"""


def start(
    tmp_path: Path,
    script: str,
    *,
    grace_s: float = 5,
    ignored: int | None = None,
    words: tuple[str, ...] = ("up", "my box.yml"),
) -> subprocess.Popen[str]:
    pid = tmp_path / "pid"
    script = f"echo $$ > {pid}; {script}"
    mark = str(tmp_path / "mark")
    code = PROGRAM.format(script=script, grace_s=grace_s, mark=mark, words=words)

    def settle() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=settle,  # noqa: PLW1509
    )
    wait_until("the child runs", lambda: pid.exists() and pid.read_text().strip(), timeout_s=20)
    return process


def child_of(tmp_path: Path) -> int:
    return int((tmp_path / "pid").read_text())


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (signal.SIGINT, "interrupted"),
        (signal.SIGTERM, "terminated"),
        (signal.SIGHUP, "the terminal went away"),
    ],
)
def test_each_ends_cleanly_with_a_word(tmp_path: Path, number: signal.Signals, word: str) -> None:
    process = start(tmp_path, "sleep 60")
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    go_on = "to go on: sandbox up 'my box.yml'"
    assert said == f"{word}; {go_on}; to remove what is there: sandbox destroy shiny\n"
    assert (tmp_path / "mark").read_text() == "cleaned up"
    assert not is_alive(child_of(tmp_path))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("check", "shiny", "--quick"), "; to go on: sandbox check shiny --quick"),
        # Who only looks has nothing to go on with
        (("logs", "shiny"), ""),
        ((), ""),
    ],
)
def test_the_command_to_go_on_with_is_the_one_that_was_typed(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    process = start(tmp_path, "sleep 60", words=words)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, f"interrupted{told}\n")


def test_what_a_library_makes_of_it_is_no_bug(tmp_path: Path) -> None:
    code = (
        "import time\nfrom pathlib import Path\nfrom sandbox.cli import app\n"
        "def program(words):\n"
        "    def run():\n"
        f"        Path({str(tmp_path / 'ready')!r}).touch()\n"
        "        try:\n"
        "            time.sleep(60)\n"
        "        except BaseException as error:\n"
        "            raise ValueError('cannot build the model') from error\n"
        "    return run\n"
        "app.program = program\napp.main()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as process:
        wait_until("it runs", (tmp_path / "ready").exists, timeout_s=20)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said == b"terminated\n"


def test_the_second_makes_haste_and_breaks_no_cleaning_up(tmp_path: Path) -> None:
    process = start(tmp_path, "trap '' INT TERM; sleep 61 & wait; sleep 62 & wait", grace_s=30)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=40)
    assert time.monotonic() - started < 10
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert (tmp_path / "mark").read_text() == "cleaned up"
    assert not is_alive(child_of(tmp_path))


def test_one_more_at_the_very_end_changes_nothing(tmp_path: Path) -> None:
    with start(tmp_path, "sleep 60") as process:
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        said = process.stderr.readline()
        # Python is going by now, with its own answer to signals
        for _ in range(50):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.002)
        assert process.wait(20) == 130, said


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As `nohup` has it."""
    process = start(tmp_path, "sleep 1", ignored=signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
