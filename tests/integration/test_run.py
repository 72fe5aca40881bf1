"""The process runner against real processes: output, timeouts, interrupts, orphans."""

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.daemons import spawn_daemon
from sandbox.errors import CommandError
from sandbox.run import TAIL_LINES, run
from tests.conftest import is_alive


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.run._GRACE_S", 0.5)


def wait_until_gone(pid: int, *, timeout_s: float = 5) -> None:
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.02)


def pid_from(path: Path) -> int:
    deadline = time.monotonic() + 5
    while not (path.exists() and path.read_text(encoding="utf-8").strip()):
        assert time.monotonic() < deadline, f"{path} was never written"
        time.sleep(0.02)
    return int(path.read_text(encoding="utf-8"))


def test_stdout_and_stderr_are_kept_apart_and_passed_on(tmp_path: Path) -> None:
    lines: list[str] = []
    log = tmp_path / "logs" / "run.log"
    done = run(
        ("sh", "-c", "echo out; echo err >&2; printf last"),
        timeout_s=10,
        log=log,
        on_line=lines.append,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("out\nlast", "err\n", 0)
    assert sorted(lines) == ["err", "last", "out"]
    text = log.read_text()
    assert text.startswith("$ sh -c ")
    assert "out\n" in text
    assert "err\n" in text


def test_arguments_are_never_read_by_a_shell(tmp_path: Path) -> None:
    hostile = f"$(touch {tmp_path}/pwned) `id` ; exit 3"
    assert run(("printf", "%s", hostile), timeout_s=10).stdout == hostile
    assert not (tmp_path / "pwned").exists()


def test_stdin_larger_than_a_pipe_arrives_whole() -> None:
    data = "0123456789abcdef" * 40_000
    assert run(("cat",), timeout_s=20, stdin=data).stdout == data


def test_a_program_that_does_not_read_its_stdin_is_no_error() -> None:
    assert run(("true",), timeout_s=10, stdin="x" * 1_000_000).returncode == 0


def test_without_stdin_a_reader_gets_an_empty_stream() -> None:
    assert run(("cat",), timeout_s=10).stdout == ""


def test_a_failure_carries_the_tools_own_last_lines() -> None:
    script = "for i in $(seq 100); do echo line $i; done; echo the reason >&2; exit 7"
    with pytest.raises(CommandError) as caught:
        run(("sh", "-c", script), timeout_s=10)
    error = caught.value
    assert error.returncode == 7
    assert "the reason" in error.details
    assert "line 100" in error.details
    assert len(error.details.splitlines()) == TAIL_LINES
    assert "exit status 7" in error.message


def test_a_missing_program_is_named() -> None:
    with pytest.raises(CommandError, match="no-such-program") as caught:
        run(("no-such-program",), timeout_s=10)
    assert caught.value.returncode == 127


def test_a_timeout_ends_the_whole_group_even_when_it_ignores_the_asking(tmp_path: Path) -> None:
    child = tmp_path / "child"
    # A background job of a shell ignores SIGINT, and this one SIGTERM too
    script = f"(trap '' INT TERM; echo $$ ; exec sleep 60) & echo $! > {child}; wait"
    started = time.monotonic()
    with pytest.raises(CommandError, match=r"did not end within 0\.5 s"):
        run(("sh", "-c", script), timeout_s=0.5)
    assert time.monotonic() - started < 20
    wait_until_gone(pid_from(child))


def test_an_interrupt_ends_the_group_and_goes_on(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f"sleep 60 & echo $! > {child}; wait"

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(("sh", "-c", f"echo go; {script}"), timeout_s=30, on_line=interrupt)
    if child.exists() and child.read_text().strip():
        wait_until_gone(pid_from(child))


def test_a_daemon_left_behind_does_not_hold_us_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    run(("sh", "-c", f"setsid sleep 30 & echo $! > {pid}; echo done"), timeout_s=20)
    took_s = time.monotonic() - started
    os.kill(pid_from(pid), signal.SIGKILL)
    assert took_s < 5


def test_a_command_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "from sandbox.run import run\n"
        f"run(('sh', '-c', 'echo $$ > {pid}; exec sleep 60'), timeout_s=60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = pid_from(pid)
    parent.kill()
    parent.wait()
    wait_until_gone(child)


def test_a_parent_killed_before_its_command_runs_leaves_no_command(tmp_path: Path) -> None:
    """Killed after the fork and before the child has asked to be told of it: a gap of some 1 ms."""
    ran = tmp_path / "ran"
    code = (
        "import os, signal, sys, time, sandbox.run as run\n"
        "# As on every start of the command line: SIGTERM is handled by us\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "starting, parent = run._die_with_parent, os.getpid()\n"
        "def late(*words):\n"
        "    os.kill(parent, signal.SIGKILL)\n"
        "    time.sleep(0.3)\n"
        "    starting(*words)\n"
        "run._die_with_parent = late\n"
        f"run.run(('touch', {str(ran)!r}), timeout_s=60)\n"
    )
    killed = subprocess.run((sys.executable, "-c", code), timeout=30, check=False)
    assert killed.returncode == -signal.SIGKILL
    time.sleep(1)
    assert not ran.exists()


def test_a_command_of_a_parent_that_ignores_sigterm_is_stopped_by_it() -> None:
    """A child takes over what its parent ignores; SIGTERM must stop it all the same."""
    code = (
        "import signal, sandbox.run as run\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "kill = 'kill -TERM $$; echo still here'\n"
        "print(run.run(('sh', '-c', kill), timeout_s=10, check=False).stdout)\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", code), timeout=30, check=True, capture_output=True, text=True
    )
    assert "still here" not in done.stdout


def test_bytes_that_are_not_utf8_are_no_error() -> None:
    lines: list[str] = []
    done = run(("printf", r"a\377b\nc"), timeout_s=10, on_line=lines.append)
    assert done.stdout == "a\ufffdb\nc"
    assert lines == ["a\ufffdb", "c"]


def test_a_progress_bar_leaves_its_last_state() -> None:
    lines: list[str] = []
    run(("printf", r"1%%\r50%%\r100%%\n"), timeout_s=10, on_line=lines.append)
    assert lines == ["100%"]


def test_a_command_that_has_ended_is_not_waited_for() -> None:
    # `up` runs a dozen: what each costs beside its own time is felt
    took_s = []
    for _ in range(15):
        started = time.monotonic()
        run(("true",), timeout_s=10)
        took_s.append(time.monotonic() - started)
    assert statistics.median(took_s) < 0.1


_TALKS = (
    "import sys; sys.{stream}.write('x' * 99 + chr(10)); "
    "[sys.{stream}.write('y' * 99 + chr(10)) for _ in range({count})]"
)


def test_an_answer_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it would be wrong, and all of it has no room."""
    monkeypatch.setattr("sandbox.run.LARGEST_BYTES", 1 << 20)
    started = time.monotonic()
    with pytest.raises(CommandError, match="said more than 1 MB") as caught:
        run(("yes",), timeout_s=60)
    assert caught.value.returncode is None
    assert caught.value.details.endswith("y")
    assert time.monotonic() - started < 20


def test_what_a_log_has_is_kept_as_far_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sandbox.run.LARGEST_BYTES", 1 << 20)
    program = _TALKS.format(stream="stdout", count=30_000)
    log = tmp_path / "log"
    done = run((sys.executable, "-c", program), timeout_s=60, log=log)
    assert len(done.stdout) <= 1 << 20
    assert done.stdout.endswith("y\n")
    assert "x" * 99 in log.read_text()
    assert log.stat().st_size > 30_000 * 100


def test_of_words_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.run.LARGEST_BYTES", 1 << 20)
    program = _TALKS.format(stream="stderr", count=30_000)
    done = run((sys.executable, "-c", program), timeout_s=60)
    assert len(done.stderr) <= 1 << 20
    assert "x" not in done.stderr


def test_a_line_without_an_end_takes_no_minute() -> None:
    program = "import os\nfor _ in range(20): os.write(1, b'x' * 2**20)"
    started = time.monotonic()
    lines: list[str] = []
    done = run((sys.executable, "-c", program), timeout_s=60, on_line=lines.append)
    assert len(done.stdout) == 20 << 20
    assert sum(map(len, lines)) == 20 << 20
    assert max(map(len, lines)) < 1 << 20
    assert time.monotonic() - started < 20


def test_a_log_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run(("true",), timeout_s=10, log=tmp_path / "logs" / "x.log")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in sorted((tmp_path / "logs").rglob("*"))]
    assert modes == [0o600]
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700


def test_a_daemon_takes_nothing_of_its_starter_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves others too, long after: no folder, no token of the one who started it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("MY_TOKEN", "geheim")
    pid = spawn_daemon(("sleep", "60"), log=tmp_path / "daemon.log")
    try:
        deadline = time.monotonic() + 5
        while not (raw := Path(f"/proc/{pid}/cmdline").read_bytes()).startswith(b"sleep\0"):
            assert time.monotonic() < deadline, raw
            time.sleep(0.02)
        names = {one.partition(b"=")[0] for one in _environ(pid)}
        assert names == {b"PATH", b"LANG"}
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _environ(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")


def test_an_output_of_any_size_goes_to_a_file_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sandbox.run.LARGEST_BYTES", 1 << 20)
    file = tmp_path / "home.tar"
    program = (
        "import os, sys; sys.stderr.write('a word\\n'); "
        "[os.write(1, bytes(range(256)) * 4096) for _ in range(4)]"
    )
    lines: list[str] = []
    words = (sys.executable, "-c", program)
    done = run(words, timeout_s=60, output=file, on_line=lines.append)
    assert file.read_bytes() == bytes(range(256)) * 4096 * 4
    assert (done.stdout, done.stderr, lines) == ("", "a word\n", ["a word"])


def test_an_output_file_is_new_and_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("what was there before, and is longer")
    file.chmod(0o644)
    before = os.umask(0)
    try:
        run(("printf", "new"), timeout_s=10, output=file)
    finally:
        os.umask(before)
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_command_with_an_output_file_fails_and_ends_as_any_other(tmp_path: Path) -> None:
    file = tmp_path / "out"
    with pytest.raises(CommandError, match="exit status 3") as caught:
        run(("sh", "-c", "echo half; echo why >&2; exit 3"), timeout_s=10, output=file)
    assert (caught.value.details, caught.value.stdout) == ("why", "")
    started = time.monotonic()
    with pytest.raises(CommandError, match="did not end within"):
        run(("sh", "-c", "echo half; sleep 60"), timeout_s=0.5, output=file)
    assert time.monotonic() - started < 10
    assert file.read_text() == "half\n"
