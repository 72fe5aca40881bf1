"""All that runs in a seat stands still for a while: the very script, in a world of its own.

The script stops every process that it sees. So it only ever runs where process 1 is the test's.
"""

import os
import subprocess
from pathlib import Path

import pytest

from sandbox.workshop.stillness import GO_ON, STAND_STILL, still_words
from tests.conftest import cannot_run

# $1 the folder, $2 a script, the rest its words. Two learners' programs write, one begins others
WORLD = """\
[ "$$" = 1 ] || exit 99
(while :; do date +%s%N > "$0/first.new"; mv "$0/first.new" "$0/first"; sleep 0.02; done) &
(while :; do sh -c 'date +%s%N > "$0/second.new"; mv "$0/second.new" "$0/second"' "$0"; done) &
sleep 0.3
script=$1
shift
sh -c "$script" sh "$@"
sleep 0.1
cat "$0/first" "$0/second" > "$0/before"
sleep 0.5
cat "$0/first" "$0/second" > "$0/after"
sleep 1.6
cat "$0/first" "$0/second" > "$0/later"
"""
UNSHARE = (
    "unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
)
HOST = Path("/proc/sys/kernel/hostname").read_text(encoding="utf-8").strip()


def world(folder: Path, script: str, *words: str) -> tuple[str, str, str, str]:
    """Run the script among programs that write; what was written before, after it, and later."""
    probe = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    if probe.returncode:
        cannot_run(f"no world of its own: {probe.stderr.decode()}")
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", WORLD, str(folder), script, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    before, after, later = (
        (folder / name).read_text(encoding="utf-8") for name in ("before", "after", "later")
    )
    return before, after, later, done.stdout + done.stderr


def test_nothing_is_written_until_the_time_is_over(tmp_path: Path) -> None:
    words = (*still_words(HOST, 1), "nobody", "more")
    before, after, later, said = world(tmp_path, STAND_STILL + 'echo "left: $*"', *words)
    assert before == after
    # By itself, a second later
    assert all(new > old for new, old in zip(later.split(), after.split(), strict=True))
    assert said.strip() == "left: nobody more"


def test_all_goes_on_when_it_is_told_to(tmp_path: Path) -> None:
    words = (*still_words(HOST, 60), "nobody")
    before, after, _, _ = world(tmp_path, f"{STAND_STILL}\n{GO_ON}", *words)
    assert all(new > old for new, old in zip(after.split(), before.split(), strict=True))


@pytest.mark.parametrize("name", ["", "another-machine"])
def test_it_does_nothing_anywhere_else(tmp_path: Path, name: str) -> None:
    words = (*still_words(name, 60), "nobody")
    before, after, _, said = world(tmp_path, STAND_STILL, *words)
    assert all(new > old for new, old in zip(after.split(), before.split(), strict=True))
    assert "what runs in it is not stopped" in said
