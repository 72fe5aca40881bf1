"""The runner with a real pytest and testinfra; only `ssh` is a stand-in, and runs things here."""

import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest

from sandbox.checks.request import CheckRequest
from sandbox.checks.results import CheckReport, Goal, Outcome
from sandbox.checks.runner import run_checks
from sandbox.errors import SandboxError
from sandbox.events import Event, StepOutput
from sandbox.plan import Plan
from sandbox.ssh import SshTarget
from sandbox.trust import read_code
from tests.unit.checks.samples import good
from tests.unit.factories import plain_plan

# Options up to the host, then one word: the command, which sshd gives to the login's shell
FAKE_SSH = """\
#!/bin/sh
for word in "$@"; do last=$word; done
exec sh -c "$last"
"""
# The inspection asks root about the machine; answered here, so that this machine does not matter
FAKE_SUDO = """\
#!/bin/sh
cat <<'ANSWER'
@state
running
@failed
@files
@packages
@accounts
root:0:/bin/bash:locked
@cpus
1
@disk
/dev/sda1 4096 1024 3072 25% /
@inodes
/dev/sda1 1000 10 990 1% /
@end
ANSWER
"""
BOXES_OWN = '''\
"""The box's own checks."""

import pytest


@pytest.mark.goal("safe")
def test_plan_and_facts_are_given(plan, facts, url):
    """The fixtures are there. More words."""
    assert plan.name == "plain"
    assert facts.os.codename == "bookworm"
    assert url == ""


def test_host_is_testinfras(host):
    assert host.run("echo %s", "a b").stdout == "a b\\n"


@pytest.mark.parametrize("number", [1, 2])
def test_fails(host, number):
    assert number == 3, "no such number"


def test_crashes():
    raise RuntimeError("a bug in the test")


@pytest.mark.skip(reason="not on Sundays")
def test_skipped():
    raise AssertionError


def test_needs_what_is_not_there(nonsense):
    pass
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which `ssh` leads to this machine."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("ssh", FAKE_SSH), ("sudo", FAKE_SUDO), ("id", "#!/bin/sh\necho 1000\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    folder = tmp_path / "instance"
    folder.mkdir()
    return folder


def checked(
    folder: Path,
    plan: Plan,
    *,
    goals: tuple[Goal, ...] = (),
    timeout_s: float | None = None,
    events: list[Event] | None = None,
) -> CheckReport:
    seen: list[Event] = events if events is not None else []
    target = SshTarget(host=plan.name, config=folder / "ssh_config")
    request = CheckRequest(
        plan=plan, facts=good().facts, base_url="", own_key="", goals=goals or tuple(Goal)
    )
    own = tuple(read_code(path) for path in plan.check_files if path.exists())
    return run_checks(request, target, folder, seen.append, own=own, timeout_s=timeout_s)


def with_file(tmp_path: Path, text: str, name: str = "test_own.py") -> Plan:
    file = tmp_path / name
    file.write_text(text)
    return plain_plan().model_copy(update={"check_files": (file,)})


def by_id(report: CheckReport) -> dict[str, Outcome]:
    return {result.id: result.outcome for result in report.results}


def test_the_suite_runs_and_tells(here: Path) -> None:
    events: list[Event] = []
    report = checked(here, plain_plan(), events=events)
    outcomes = by_id(report)
    assert outcomes["up.system"] is Outcome.PASSED
    assert outcomes["safe.passwords"] is Outcome.PASSED
    # The facts are of a machine with Shiny Server and another timezone; the plan has neither
    assert outcomes["safe.ports"] is Outcome.FAILED
    assert outcomes["correct.timezone"] is Outcome.FAILED
    assert Outcome.ERROR not in outcomes.values()
    (found,) = (one for one in report.results if one.id == "correct.timezone")
    assert (found.expected, found.actual) == ("/etc/localtime leads to Etc/UTC", "Europe/Vienna")
    assert [goal for goal in Goal if report.of(goal)] == list(Goal)
    lines = [one.line for one in events if isinstance(one, StepOutput)]
    titles = [line.partition(": ")[2] for line in lines]
    # In words, and every one of them; the names of tests are in the log
    assert sorted(titles) == sorted(one.title for one in report.results)
    assert lines[0].startswith("1 of ")
    assert "PASSED" in (here / "logs" / "check.log").read_text()
    assert "test_up.py" in (here / "logs" / "check.log").read_text()


def test_in_a_folder_of_any_name(here: Path, tmp_path: Path) -> None:
    folder = here / "Käse ü%h $HOME 'q' [b] #1"
    folder.mkdir()
    report = checked(folder, with_file(tmp_path, BOXES_OWN), goals=(Goal.UP, Goal.CORRECT))
    outcomes = by_id(report)
    assert outcomes["up.system"] is Outcome.PASSED
    assert outcomes["box.test_own.test_host_is_testinfras"] is Outcome.PASSED


def test_only_the_goals_asked_for(here: Path, tmp_path: Path) -> None:
    plan = with_file(tmp_path, BOXES_OWN)
    report = checked(here, plan, goals=(Goal.SAFE,))
    assert {result.goal for result in report.results} == {Goal.SAFE}
    assert "box.test_own.test_plan_and_facts_are_given" in by_id(report)


def test_a_boxs_own_tests_count_like_any_other(here: Path, tmp_path: Path) -> None:
    report = checked(here, with_file(tmp_path, BOXES_OWN), goals=(Goal.SAFE, Goal.CORRECT))
    own = {one.id.removeprefix("box.test_own."): one for one in report.results if "own" in one.id}
    assert {name: one.outcome for name, one in own.items()} == {
        "test_plan_and_facts_are_given": Outcome.PASSED,
        "test_host_is_testinfras": Outcome.PASSED,
        "test_fails[1]": Outcome.FAILED,
        "test_fails[2]": Outcome.FAILED,
        "test_crashes": Outcome.ERROR,
        "test_skipped": Outcome.SKIPPED,
        "test_needs_what_is_not_there": Outcome.ERROR,
    }
    assert own["test_plan_and_facts_are_given"].goal is Goal.SAFE
    assert own["test_plan_and_facts_are_given"].title == "The fixtures are there. More words"
    assert own["test_host_is_testinfras"].title == "host is testinfras"
    assert "no such number" in own["test_fails[1]"].actual
    assert "test_own.py:" in own["test_fails[1]"].actual
    assert "a bug in the test" in own["test_crashes"].actual
    assert "nonsense" in own["test_needs_what_is_not_there"].actual
    assert own["test_skipped"].actual == "not on Sundays"
    assert not list(tmp_path.glob("__pycache__")), "nothing is left beside the box"


def test_a_file_that_cannot_be_read_spoils_nothing_else(here: Path, tmp_path: Path) -> None:
    report = checked(here, with_file(tmp_path, "def test_x(:\n"))
    own = next(one for one in report.results if one.id == "box.test_own")
    assert own.outcome is Outcome.ERROR
    assert "SyntaxError" in own.actual
    assert by_id(report)["up.system"] is Outcome.PASSED


def test_a_file_that_is_gone_spoils_nothing_else(here: Path, tmp_path: Path) -> None:
    plan = with_file(tmp_path, BOXES_OWN)
    plan.check_files[0].unlink()
    report = checked(here, plan)
    own = next(one for one in report.results if one.id == "box.test_own")
    assert (own.outcome, own.actual) == (Outcome.ERROR, "there is no such file")
    assert by_id(report)["up.system"] is Outcome.PASSED


def test_the_users_own_pytest_set_up_does_not_matter(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = with_file(tmp_path, "def test_fine():\n    assert True\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('read a conftest')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option -k nothing")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    monkeypatch.chdir(tmp_path)
    assert by_id(checked(here, plan))["box.test_own.test_fine"] is Outcome.PASSED


def test_what_does_not_end_in_time_is_an_error_and_the_rest_is_kept(
    here: Path, tmp_path: Path
) -> None:
    text = (
        "import time\n\n\ndef test_first():\n    pass\n\n\ndef test_hangs():\n    time.sleep(600)\n"
    )
    report = checked(here, with_file(tmp_path, text), timeout_s=15)
    outcomes = by_id(report)
    assert outcomes["up.system"] is Outcome.PASSED
    assert outcomes["box.test_own.test_first"] is Outcome.PASSED
    assert outcomes["box.test_own.test_hangs"] is Outcome.ERROR
    hung = next(one for one in report.results if one.id.endswith("hangs"))
    assert "did not end within 15 s" in hung.actual


def test_a_test_that_ends_pytest_itself_hides_nothing(here: Path, tmp_path: Path) -> None:
    text = (
        "import os\n\n\ndef test_ends_it_all():\n    os._exit(0)\n\n\ndef test_after():\n    pass\n"
    )
    outcomes = by_id(checked(here, with_file(tmp_path, text)))
    assert outcomes["up.system"] is Outcome.PASSED
    assert outcomes["box.test_own.test_ends_it_all"] is Outcome.ERROR
    assert outcomes["box.test_own.test_after"] is Outcome.ERROR


def test_an_ssh_that_fails_is_an_error_of_each_check_never_a_pass(here: Path) -> None:
    ssh = shutil.which("ssh")
    assert ssh is not None
    Path(ssh).write_text(
        "#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n", encoding="utf-8"
    )
    report = checked(here, plain_plan())
    assert {one.outcome for one in report.results} == {Outcome.ERROR}
    assert "Host key verification failed." in report.results[0].actual


def test_pytest_that_cannot_start_is_told_with_its_words(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox.checks import runner

    monkeypatch.setattr(runner, "SUITE", Path("/nowhere"))
    with pytest.raises(SandboxError, match="could not be run") as caught:
        checked(here, plain_plan())
    assert "/nowhere" in caught.value.details
    assert "check.log" in caught.value.hint


def test_a_run_that_was_killed_leaves_nothing_once_there_is_another(
    here: Path, tmp_path: Path
) -> None:
    plan = with_file(tmp_path, "import time\n\n\ndef test_hangs():\n    time.sleep(600)\n")
    killed = multiprocessing.get_context("fork").Process(target=checked, args=(here, plan))
    killed.start()
    try:
        deadline = time.monotonic() + 30
        while not list(here.glob("check-*/collected.json")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        killed.kill()
        killed.join()
    checked(here, plain_plan())
    assert [path.name for path in here.iterdir()] == ["logs"]
