"""The script that looks into a seat, run on this host: what it reads, and what it never follows."""

import os
import pwd
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.paths import data_dir
from sandbox.workshop.seat_answer import parse_answer

SCRIPT = data_dir("templates") / "workshop" / "look"


@pytest.fixture(scope="module")
def script() -> dict[str, Callable[..., Any]]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize("more", [[], ["inside"]])
def test_it_answers_for_an_account(more: list[str]) -> None:
    account = pwd.getpwuid(os.getuid()).pw_name
    words = ["/usr/bin/python3", "-I", "-c", SCRIPT.read_text(encoding="utf-8"), account, *more]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.count("\n") == 1
    answer = parse_answer(done.stdout)
    assert answer.now > 0
    assert bool(answer.processes) is bool(more)


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_root_becomes_the_person_before_it_reads_the_home() -> None:
    words = [*("/usr/bin/python3", "-I", "-c"), SCRIPT.read_text(encoding="utf-8"), "nobody"]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    answer = parse_answer(done.stdout)
    # The account has no home
    assert (answer.changed, answer.home_bytes) == (0.0, None)


def test_the_newest_files_come_first_and_no_link_is_followed(
    script: dict[str, Callable[..., Any]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    (home / ".cache").mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    for at, name in enumerate(["old.R", "sub/new.R"], 1):
        (home / name).write_text(name, encoding="utf-8")
        os.utime(home / name, (at * 1000, at * 1000))
    (home / ".cache" / "newest").write_text("", encoding="utf-8")
    (home / "way-out").symlink_to(tmp_path)
    (home / "loop").symlink_to(home)
    (home / "secret.log").symlink_to(secret)
    os.mkfifo(home / "pipe")
    (home / "future.R").write_text("", encoding="utf-8")
    os.utime(home / "future.R", (9_999_999_999, 9_999_999_999))
    newest, size, whole, files = script["walk"](str(home))
    assert whole
    assert newest == 2000
    assert size >= 0
    assert [one["path"] for one in files] == ["future.R", "sub/new.R", "old.R"]
    assert script["tail"](str(home / "secret.log")) == ("", 0.0)
    assert script["tail"](str(home / "pipe")) == ("", 0.0)
    assert script["tail"](str(home)) == ("", 0.0)
    assert script["tail"](str(secret))[0] == "secret"


def test_the_last_error_of_rstudios_log_is_found(script: dict[str, Callable[..., Any]]) -> None:
    log = "2026-12-01 [rsession-ann] ERROR first\nmore\n2026-12-01 [rsession-ann] ERROR second\nx\n"
    assert script["last_error"](log) == "2026-12-01 [rsession-ann] ERROR second"
    assert script["last_error"]("all is well") == ""
