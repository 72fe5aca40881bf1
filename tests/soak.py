"""Random kills and signals over all commands, on real machines; each is recovered from.

`python -m tests.soak --rounds 1000` (`make soak`) takes an hour or more; tests/e2e runs thirty. The
seed is printed: the same one gives the same commands, signals and moments again.

A round: some command is started, and cut off at some moment of it. Then `sandbox up` must end well,
or `sandbox destroy` leave nothing. At the end nothing is left at all.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT, SANDBOX, Host

# No R: the road is the same and shorter
BOX = """\
version: 1
description: a bare machine
base: debian-12
machine: {cpus: 1, memory_mb: 512, disk_gb: 5}
system: {timezone: Europe/Vienna, packages: [tree]}
"""
NAME = "soaked"

# What is cut off, how often, and how long it takes at first; learned as it goes
COMMANDS: tuple[tuple[str, int, float], ...] = (
    ("list", 2, 0.4),
    ("status {name}", 2, 0.4),
    ("validate {box}", 1, 0.4),
    ("cache list", 2, 0.6),
    ("cache prune --keep-last 1 --older-than 1d", 2, 0.8),
    ("exec {name} -- true", 2, 0.6),
    ("logs {name}", 1, 0.8),
    ("probe {name}", 2, 1.5),
    ("check {name}", 4, 3.0),
    ("render {box} -o {folder}/rendered", 1, 0.8),
    ("report {name} --html {folder}/page.html", 2, 0.8),
    ("capture {name} --ssh-config {ssh} --force -o {folder}/captured.yml", 2, 2.0),
    ("snapshot save {name}", 4, 0.8),
    ("snapshot save {name} kept", 2, 0.8),
    ("snapshot restore {name}", 3, 4.0),
    ("snapshot delete {name} kept", 2, 0.8),
    ("snapshot list {name}", 1, 0.5),
    ("reset {name}", 3, 4.0),
    ("stop {name}", 4, 2.5),
    ("start {name}", 3, 2.5),
    ("up {box} --name {name}", 6, 4.0),
    ("up {box} --name {name} --provision", 2, 8.0),
    ("destroy {name}", 5, 2.0),
    ("bake {box}", 2, 2.0),
    ("bake {box} --fresh", 1, 20.0),
    ("up {box} --name {name} --no-cache", 2, 8.0),
    ("doctor", 1, 1.0),
)
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDS_WITHIN_S = 90.0
"""After a signal that is no SIGKILL."""
UP_S = 420.0
_STARTING_S = 0.6
"""So long Python itself may be loading, with its own answer to a signal."""
_KNOWN_CODES = {0, 1, 2, 4, 5, 6, 130}


class SoakError(AssertionError):
    """Something was not recovered from, or left behind."""


@dataclass
class Soak:
    """A run over one host of the tests' own."""

    host: Host
    folder: Path
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    took_s: dict[str, float] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    tell: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        # Other tests' sandboxes on this host, such as the shared Shiny one, are not ours to destroy
        self.others = frozenset(path.name for path in self.host.instances.glob("*"))
        self.box = self.folder / "bare.yml"
        self.box.write_text(BOX)

    def run(self, rounds: int, *, until: float | None = None) -> int:
        """So many rounds, or as many as there is time for; returns how many it was."""
        self.recover(up=True)
        for number in range(1, rounds + 1):
            if until is not None and time.monotonic() > until:
                return number - 1
            self.round(number)
        return rounds

    def round(self, number: int) -> None:
        """One command, one signal, and the way back."""
        [(words, _, first_s)] = self.random.choices(
            COMMANDS, weights=[weight for _, weight, _ in COMMANDS]
        )
        which = self.random.choice(SIGNALS)
        whole_group = self.random.random() < 0.3
        again = which is not signal.SIGKILL and self.random.random() < 0.2
        umask = self.random.choice((0, 0o022, 0o077))
        moment = self.random.random()
        up = self.random.random() < 0.8
        limit_s = self.took_s.get(words, first_s)
        self.story.append(
            f"{number}: {words}: {which.name}{' twice' if again else ''} to the "
            f"{'group' if whole_group else 'process'} after {moment * limit_s:.2f} s, "
            f"umask {umask:03o}, then {'up' if up else 'destroy'}"
        )
        self.tell(self.story[-1])
        self.cut_off(words, which, moment * limit_s, umask=umask, group=whole_group, again=again)
        self.recover(up=up)
        self.done[words] += 1

    def cut_off(
        self,
        words: str,
        which: signal.Signals,
        after_s: float,
        *,
        umask: int,
        group: bool,
        again: bool,
    ) -> None:
        """Start the command and send the signal; it must end, with a code that is promised."""
        argv = words.format(
            name=NAME,
            box=self.box,
            folder=self.folder,
            ssh=self.host.instances / NAME / "ssh_config",
        ).split()
        started = time.monotonic()
        with (self.folder / "said").open("w+") as said:
            process = self._start(argv, said.fileno(), umask)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(after_s)
            for _ in range(2 if again else 1):
                if process.poll() is None:
                    os.killpg(process.pid, which) if group else process.send_signal(which)
                    time.sleep(0.1)
            try:
                code = process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise self.wrong(f"it did not end within {ENDS_WITHIN_S:g} s") from None
            said.seek(0)
            text = said.read()
        if code not in _KNOWN_CODES and not (
            code == -which and (which is signal.SIGKILL or after_s < _STARTING_S)
        ):
            raise self.wrong(f"exit {code}", text)
        if "Traceback" in text and after_s > _STARTING_S:
            raise self.wrong("a traceback", text[max(0, text.index("Traceback") - 500) :][:4000])
        if code == 0:
            self.took_s[words] = max(self.took_s.get(words, 0.0) * 0.7, time.monotonic() - started)

    def recover(self, *, up: bool) -> None:
        """`up` ends well, or `destroy` leaves nothing; and no process of ours goes on."""
        if up:
            self.sandbox("up", self.box, "--name", NAME, timeout_s=UP_S)
        else:
            if (self.host.instances / NAME).exists() or NAME in self.machines():
                self.sandbox("destroy", NAME, timeout_s=120)
            if NAME in self.machines() or (self.host.instances / NAME).exists():
                raise self.wrong(f"destroy left {self.machines()}")
        self.await_end_of_processes()

    def finish(self) -> None:
        """Take everything away by the program's own means; nothing may be left of it.

        What was on the host before must still be there.
        """
        if self.others:
            self.recover(up=False)
        else:
            self.sandbox("destroy", "--all", "--yes", timeout_s=180)
        self.sandbox("cache", "prune", timeout_s=180)
        self.await_end_of_processes(masters=True)
        state = self.host.home / "state" / "sandbox"
        records = {path.name for path in self.host.instances.glob("*")}
        left = [f"machine {name}" for name in self.machines() if name not in self.others]
        left += [f"record {name}" for name in sorted(records - self.others)]
        left += [f"gone: {name}" for name in sorted(self.others - records)]
        left += [str(path) for path in state.rglob("*.new")]
        left += [str(path) for path in (self.host.home / "cache").rglob("build-*")]
        left += [str(path) for path in self.folder.glob(".*")]
        left += [f"unfinished {one['image']}" for one in self.kept() if not one["complete"]]
        left += [f"open to others: {path}" for path in (state, *state.rglob("*")) if _is_open(path)]
        if left:
            raise self.wrong("left behind, or gone:\n" + "\n".join(left))

    def machines(self) -> list[str]:
        """The instances in our project, but for whole baked images."""
        listed = json.loads(self.host.incus("list", "--format", "json"))
        return [
            one["name"]
            for one in listed
            if not one["config"].get("user.sandbox-engine.bake-complete")
        ]

    def kept(self) -> list[dict[str, object]]:
        """What `cache list` shows."""
        found: list[dict[str, object]] = json.loads(
            self.sandbox("cache", "list", "--json", timeout_s=60)
        )
        return found

    def sandbox(self, *words: str | Path, timeout_s: float) -> str:
        """A command that must go well."""
        argv = [str(word) for word in words]
        done = subprocess.run(
            [str(SANDBOX), *argv],
            env=self.host.env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise self.wrong(
                f"then `sandbox {' '.join(argv)}` ended with {done.returncode}",
                done.stdout + done.stderr,
            )
        return done.stdout

    def await_end_of_processes(self, *, masters: bool = False) -> None:
        """What was started here ends by itself soon; a shared ssh connection may stay a minute."""
        deadline = time.monotonic() + (75 if masters else 30)
        while left := [line for line in self.processes() if masters or "[mux]" not in line]:
            if time.monotonic() > deadline:
                raise self.wrong("still running:\n" + "\n".join(left))
            time.sleep(0.1)

    def processes(self) -> Iterator[str]:
        """Command lines of all that has our state folder in its environment, but for ourselves."""
        mark = f"XDG_STATE_HOME={self.host.home}/state".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    yield f"{folder.name} {words.decode(errors='replace')}"
            except OSError:
                continue

    def wrong(self, what: str, text: str = "") -> SoakError:
        """The error, with all that is needed to see it again."""
        story = "\n".join(self.story[-5:])
        return SoakError(f"seed {self.seed}\n{story}\n{what}\n{text[-4000:]}")

    def _start(self, argv: list[str], said: int, umask: int) -> subprocess.Popen[bytes]:
        def settle() -> None:
            os.umask(umask)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)

        return subprocess.Popen(
            [str(SANDBOX), *argv],
            env=self.host.env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=settle,  # noqa: PLW1509
        )


def say(text: str) -> None:
    """A line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _is_open(path: Path) -> bool:
    try:
        return not path.is_symlink() and bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:
        return False


def main() -> int:
    """The command line of `make soak`."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=240.0, help="stop after so long")
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)
    home = Path(tempfile.mkdtemp(prefix="sbxsoak-", dir="/tmp"))
    host = Host(home)
    say(f"seed {seed}, {chosen.rounds} rounds")
    host.sandbox("host", "setup", "--yes", timeout_s=900)
    (home / "work").mkdir()
    soak = Soak(host, home / "work", seed, tell=say)
    started = time.monotonic()
    code = 0
    try:
        rounds = soak.run(chosen.rounds, until=started + 60 * chosen.minutes)
        soak.finish()
        say(f"{rounds} rounds in {time.monotonic() - started:.0f} s: all recovered, nothing left")
    except SoakError as error:
        say(str(error))
        code = 1
    finally:
        for words, count in soak.done.most_common():
            say(f"{count:5} {words}")
        host.sandbox("host", "teardown", "--yes", timeout_s=600, expect=None)
        shutil.rmtree(home, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
