"""Damaged answers: all of one is believed, or it is refused with the name of a section.

`SANDBOX_FUZZ=10000 pytest tests/unit/facts/test_fuzz.py` damages more of them, and
`python -m tests.fuzz_answers 10000 SEED` others, with a count of how they end.
"""

import os
import time
from pathlib import Path

import pytest

from sandbox.errors import ExitCode, HostError, UsageError
from sandbox.facts.answer import facts_of
from sandbox.facts.files import load_facts
from sandbox.facts.subjects.accounts import Accounts
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.objects import LinkedLibraries
from sandbox.probe.frame import CutOffError
from sandbox.probe.readers import SectionError, reading
from tests.fuzz_answers import BOUNDARY, NAMES, damaged, judged, recorded

CASES = int(os.environ.get("SANDBOX_FUZZ", "1000"))


def test_a_damaged_answer_is_believed_whole_or_refused_by_a_sections_name() -> None:
    wrong = []
    ends = set()
    for number in range(CASES):
        name, text, touched = damaged(number)
        end, problems = judged(name, text, touched)
        wrong += [f"case {number} ({name}): {line}" for line in problems]
        ends.add(end)
    assert wrong == []
    # It does damage them, and not all of them beyond belief
    assert {"facts", "cut off", "refused: passwd", "refused: r-view"} <= ends


def _with(name: str, old: str, new: str) -> str:
    text = recorded(name).decode()
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "section"),
    [
        ("ops:x:1000:1000:", "ops:x:1000:nan:", "passwd"),
        ("ops:x:1000:1000:", "ops:x:4294967296:1000:", "passwd"),
        ("ops:x:1000:1000:", "ops:x:-1:1000:", "passwd"),
        ("ops:x:1000:1000::/home/ops:/bin/bash", "ops:x:1000", "passwd"),
        ("root:x:0:\n", "root:x\n", "group"),
        ("cpus\t2", f"cpus\t{'9' * 5000}", "machine"),
        ("memory-kb\t", "memory-kb\t-", "machine"),
        ("127.0.0.1:41839", "127.0.0.1:99999", "ss"),
        ("127.0.0.1:41839", "127.0.0:41839", "ss"),
        ("listen 3838;", "listen 99999;", "shiny-server"),
        ("ActiveState=active", "ActiveState=alive", "services"),
        ("ActiveState=active\n", "", "services"),
        ("passwordauthentication yes\n", "", "sshd"),
        ("port 22", "port 22222222", "sshd"),
        ("plain\tset", "plain\tsometimes", "shadow"),
        ("ops\tyes", "ops\tperhaps", "sudo"),
        ("r-view\tlogin\tlogin", "r-view\tguest\tlogin", "r-view"),
        ("r-view\tlogin\tlogin", "r-view\tlogin", "r-view"),
        ("/usr/lib/R\t4.2.2\t/usr/bin/R", "/usr/lib/R\t4.2.2", "r-found"),
        ("\tfact\tl10n\tTRUE", "\tfact\tl10n", "r-view"),
        ("\tfact\tumask\t0022", "\tfact\tumask\t0922", "r-view"),
        ("\tfact\tversion\t4.2.2", "\tfact\tversion\tfour", "r-view"),
        ("ii \tr-base-core\t4.2.2.20221110-2", "ii \tr-base-core", "dpkg"),
        ("hostname\tbox", "hostname box", "identity"),
        ("hostname\tbox", "hostname\tb\x00x", "identity"),
        ("hostname\tbox", "hostname\t\x1b[2Jbox", "identity"),
        ("section\tsshd\n", "section\tsshq\n", "sshd"),
        ("section\tsshd\n", "section\tsshd\n\nBOUNDARY\tsection\tsshd\n", "sshd"),
        ("2026-11-22T13:00:04Z", "yesterday", "run"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_section(old: str, new: str, section: str) -> None:
    with pytest.raises(SectionError) as caught:
        facts_of(_with("worker", old, new), BOUNDARY, where="prod")
    error = caught.value
    assert isinstance(error, HostError)
    assert error.exit_code is ExitCode.HOST
    assert error.message == f"the answer of prod makes no sense in the section `{section}`"
    # What was read is a stranger's: it is not shown
    assert not new or new not in error.details
    assert error.hint


def _only(name: str, *sections: str) -> str:
    chunks = recorded(name).decode().split(f"\n{BOUNDARY}\tsection\t")
    kept = [chunk for chunk in chunks if chunk.split()[0:1] and chunk.split()[0] in sections]
    return "".join(f"\n{BOUNDARY}\tsection\t{chunk}" for chunk in [*kept, "end\n"])


@pytest.mark.parametrize("sections", [(), ("not-seen",), ("run", "identity"), ("locales",)])
def test_an_answer_without_a_fact_is_no_server(sections: tuple[str, ...]) -> None:
    with pytest.raises(SectionError, match="makes no sense in the section") as caught:
        facts_of(_only("plain", *sections), BOUNDARY, where="prod")
    assert "missing" in caught.value.details


def test_an_r_that_was_found_and_says_nothing_is_not_believed() -> None:
    text = recorded("plain").decode()
    head, view, rest = text.partition(f"{BOUNDARY}\tsection\tr-view")
    gone = head + rest[rest.index(f"{BOUNDARY}\tsection") :]
    assert view
    with pytest.raises(SectionError, match="`r-view`"):
        facts_of(gone, BOUNDARY, where="prod")


def test_half_a_line_of_an_r_that_was_ended_is_no_fact() -> None:
    lines = recorded("plain").decode().split("\n")
    head = next(at for at, line in enumerate(lines) if "section\tr-view" in line)
    last = max(at for at, line in enumerate(lines) if "\tfact\t" in line)
    whole = facts_of("\n".join(lines), BOUNDARY, where="prod")
    half = [*lines[: last + 1], f"{BOUNDARY}\tfact\tlinked\t/usr/li", *lines[last + 1 :]]
    with pytest.raises(SectionError):
        facts_of("\n".join(half), BOUNDARY, where="prod")
    half[head] = half[head].replace("\t0\t", "\t124\t")
    facts = facts_of("\n".join(half), BOUNDARY, where="prod")
    assert facts.get(LinkedLibraries) == whole.get(LinkedLibraries)


def test_a_directory_service_with_very_many_people_takes_no_minute() -> None:
    people = "".join(f"u{n}:x:{n}:{n}::/home/u{n}:/bin/sh\n" for n in range(2000, 22000))
    groups = "".join(f"g{n}:x:{n}:u{n},u{n + 1}\n" for n in range(2000, 22000))
    text = _with("plain", "section\tpasswd\n", f"section\tpasswd\n{people}")
    text = text.replace("section\tgroup\n", f"section\tgroup\n{groups}", 1)
    users = facts_of(text, BOUNDARY, where="prod")[Accounts]
    assert next(user for user in users if user.name == "u3000").groups == ("g2999", "g3000")


def test_more_lines_than_any_server_has_are_refused() -> None:
    text = _with("plain", "section\tos-release\n", "section\tos-release\n" + "A=1\n" * 30_000)
    with pytest.raises(SectionError, match="`os-release`"):
        facts_of(text, BOUNDARY, where="prod")


def test_an_answer_made_to_take_long_takes_no_minute() -> None:
    many = "".join(f"a #{n}\t1\n" for n in range(19_000))
    text = (
        recorded("worker")
        .decode()
        .replace(
            f"{BOUNDARY}\tsection\troot\n",
            f"{BOUNDARY}\tsection\tconfig\t/etc/rstudio/x.conf\n{many}{BOUNDARY}\tsection\troot\n",
        )
    )
    names = "".join(f"{BOUNDARY}\tfact\tto_load\tp{n}\n" for n in range(40_000))
    begun = "".join(f"{BOUNDARY}\tfact\tloading\tq{n}\n" for n in range(40_000))
    text = text.replace(
        f"{BOUNDARY}\tend-of-facts\n", names + begun + f"{BOUNDARY}\tend-of-facts\n", 1
    )
    started = time.monotonic()
    facts = facts_of(text, BOUNDARY, where="prod")
    assert len(facts[Configs][0].settings) == 19_000
    assert time.monotonic() - started < 30


def test_where_an_answer_was_cut_off_is_said() -> None:
    text = recorded("worker").decode()
    with pytest.raises(CutOffError) as caught:
        facts_of(text[: text.index("section\tgroup")], BOUNDARY, where="prod")
    assert caught.value.place == "cut off in the section `passwd`"


def test_what_the_models_refuse_has_a_section_too() -> None:
    from sandbox.facts.facts import ProbeRun

    with pytest.raises(SectionError, match="`run`") as caught, reading("run"):
        ProbeRun.model_validate({"user": "secret-of-theirs", "privileged": [], "taken_at": ""})
    assert "ProbeRun.privileged" in caught.value.details
    assert "secret" not in caught.value.details


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe{}",
        b'{"format": 2, "probe": "\\ud800"}',
        b"[" * 200_000,
        b'{"format": 2, "a": ' + b"[" * 200_000,
        b'{"format": ' + b"9" * 6000 + b"}",
        b'{"format": ' + b"9" * 400 + b"}",
        b'{"format": 1e999}',
        b'{"format": NaN}',
        b'{"format": true}',
        b"null",
        b'{"format": 2, "probe": null}',
    ],
)
def test_a_file_that_holds_no_facts_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.facts.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.facts\.json"):
        load_facts(path)


@pytest.mark.parametrize("name", NAMES)
def test_the_recorded_answers_are_believed(name: str) -> None:
    assert facts_of(recorded(name).decode(), BOUNDARY, where="prod")[Identity].hostname == "box"
