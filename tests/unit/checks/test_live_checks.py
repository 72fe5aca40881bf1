"""Checks of the live machine, tried out on one that answers as it is told."""

import time

import pytest

from sandbox.checks import snappy, up
from sandbox.checks.check import CannotLook, Check, NothingToLookAt
from sandbox.checks.live import CheckedMachine
from sandbox.checks.shiny_session import SessionOutcome
from sandbox.checks.web import NoAnswer, Refused, WebAnswer
from tests.unit.checks.samples import FakeMachine, full_plan, page
from tests.unit.factories import placed, shiny_plan

INDEX = "<html><head><title>Index of /</title></head><body>faithful/</body></html>"
DOCUMENT = (
    '<html><head><meta name="generator" content="pandoc" /><title>Notes</title></head></html>'
)


def check(check_id: str, *, apps: bool = True) -> Check[CheckedMachine]:
    plan = placed(shiny_plan()) if apps else placed(shiny_plan(), apps=())
    made = {one.id: one for one in (*up.live_checks(plan), *snappy.live_checks(plan))}
    return made[check_id]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100_000, 5))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))


def test_each_app_has_its_checks_and_what_disturbs_says_so() -> None:
    plan = placed(full_plan())
    made = [*up.live_checks(plan), *snappy.live_checks(plan)]
    assert [one.id for one in made if one.disturbs] == [
        "up.restart.shiny-server",
        "snappy.first-page.faithful",
        "snappy.first-page.report",
    ]
    # What ends processes comes last; a server that comes back serves a first page, which is timed
    assert [one.id for one in sorted(made, key=lambda one: one.order)][-3:] == [
        "up.restart.shiny-server",
        "snappy.first-page.faithful",
        "snappy.first-page.report",
    ]
    assert {"up.page.report", "up.session.report", "snappy.warm-page.report"} <= {
        one.id for one in made
    }


@pytest.mark.parametrize(
    ("answer", "ok", "actual"),
    [
        (page(), True, "HTTP 200, “Old Faithful”"),
        (page(DOCUMENT), True, "HTTP 200, “Notes”"),
        (page(INDEX), False, "HTTP 200, “Index of /”"),
        (page("OK"), False, "HTTP 200, text/html; charset=utf-8"),
        (page(status=500), False, "HTTP 500, “Old Faithful”"),
        (page("<title>Page not found</title>", status=404), False, "HTTP 404, “Page not found”"),
        (NoAnswer("connection refused"), False, "no answer: connection refused"),
    ],
)
def test_only_the_apps_own_page_will_do(
    answer: WebAnswer | NoAnswer, ok: bool, actual: str
) -> None:
    look = check("up.page.faithful").look(FakeMachine([answer]))
    assert (look.ok, look.actual) == (ok, actual)


def test_a_session_that_computes_passes() -> None:
    machine = FakeMachine()
    look = check("up.session.faithful").look(machine)
    assert (look.ok, look.actual) == (True, "computed plot")
    assert machine.asked == ["/faithful/", "session /faithful/"]


def test_a_server_function_that_fails_is_caught_though_the_page_is_fine() -> None:
    failed = SessionOutcome(ok=False, summary="The application unexpectedly exited", elapsed_s=1)
    look = check("up.session.faithful").look(FakeMachine(outcome=failed))
    assert (look.ok, look.actual) == (False, "The application unexpectedly exited")


@pytest.mark.parametrize("answer", [page(status=500), page(INDEX), NoAnswer("refused")])
def test_without_a_page_there_is_no_session(answer: WebAnswer | NoAnswer) -> None:
    assert not check("up.session.faithful").look(FakeMachine([answer])).ok


def test_a_document_needs_no_session() -> None:
    with pytest.raises(NothingToLookAt, match="document"):
        check("up.session.faithful").look(FakeMachine([page(DOCUMENT)]))


@pytest.mark.parametrize(
    ("answer", "ok"), [(page("OK"), True), (page("no"), False), (NoAnswer("refused"), False)]
)
def test_without_apps_the_server_itself_is_asked(answer: WebAnswer | NoAnswer, ok: bool) -> None:
    assert check("up.ping", apps=False).look(FakeMachine([answer])).ok is ok


RESTART = "up.restart.shiny-server"
_START = "systemctl start shiny-server.service"


def test_a_server_that_comes_back_by_itself_passes() -> None:
    machine = FakeMachine([NoAnswer("refused"), page(status=502), page()], output=["7 9\n"])
    look = check(RESTART).look(machine)
    assert look.ok
    assert look.actual.endswith("by process 9")


def test_the_page_of_a_server_that_came_back_is_the_first_page() -> None:
    machine = FakeMachine(
        [Refused("connection refused"), page(elapsed_s=3)],
        output=["7 9"],
    )
    assert check(RESTART).look(machine).ok
    asked = list(machine.asked)
    look = check("snappy.first-page.faithful").look(machine)
    assert (look.ok, look.actual) == (True, "3.00 s, just after Shiny Server was started again")
    assert machine.asked == asked


@pytest.mark.parametrize("before", [page(status=502), NoAnswer("no answer in time")])
def test_a_page_after_another_answer_may_be_a_warm_one(before: WebAnswer | NoAnswer) -> None:
    # That request may have started R: what comes then says nothing of a first page
    machine = FakeMachine(
        [Refused("connection refused"), before, page(elapsed_s=0.1), page(), page(elapsed_s=7)],
        output=["7 9", "ended: 12"],
    )
    assert check(RESTART).look(machine).ok
    look = check("snappy.first-page.faithful").look(machine)
    assert (look.ok, look.actual) == (False, "7.00 s")


@pytest.mark.parametrize("output", [["7 9", ""], ["7 0", ""]])
def test_the_page_of_a_server_that_was_not_started_anew_is_not(output: list[str]) -> None:
    machine = FakeMachine([NoAnswer("refused")], output=output)
    assert not check(RESTART).look(machine).ok
    assert machine.first_pages == {}


def test_a_server_that_stays_dead_fails_and_is_started_again() -> None:
    machine = FakeMachine([NoAnswer("refused")], output=["7 9", ""])
    look = check(RESTART).look(machine)
    assert not look.ok
    assert "no page (refused) for 30 s" in look.actual
    # The last command; after it, its page is waited for: the checks that follow need it
    assert [one for one in machine.asked if one != "/faithful/"][-1] == _START
    assert machine.asked[-1] == "/faithful/"


def test_a_page_without_a_new_process_does_not_count() -> None:
    machine = FakeMachine(output=["7 0", ""])
    look = check(RESTART).look(machine)
    assert (look.ok, look.actual) == (False, "no new process for 30 s; started again by hand")
    # The last command; after it, its page is waited for: the checks that follow need it
    assert [one for one in machine.asked if one != "/faithful/"][-1] == _START
    assert machine.asked[-1] == "/faithful/"


def test_all_checks_of_the_live_machine_take_one_round_trip() -> None:
    # With the probe and the inspection: three
    machine = FakeMachine(output=["7 9"])
    plan = placed(shiny_plan())
    made = [*up.live_checks(plan), *snappy.live_checks(plan)]
    assert all(one.look(machine).ok for one in sorted(made, key=lambda one: one.order))
    assert len([one for one in machine.asked if "\n" in one]) == 1


def test_what_does_not_run_cannot_be_killed() -> None:
    machine = FakeMachine(output=["0 0"])
    assert not check(RESTART).look(machine).ok
    assert len(machine.asked) == 1


def test_the_warm_page_is_the_median_without_the_first() -> None:
    times_s = (9.0, 0.1, 0.3, 0.2)
    look = check("snappy.warm-page.faithful").look(
        FakeMachine([page(elapsed_s=one) for one in times_s])
    )
    assert (look.ok, look.actual) == (True, "0.20 s (median of 3)")


def test_a_slow_page_fails() -> None:
    look = check("snappy.warm-page.faithful").look(FakeMachine([page(elapsed_s=1.5)]))
    assert (look.ok, look.actual) == (False, "1.50 s (median of 3)")


def test_an_emulated_processor_is_no_stopwatch() -> None:
    warm = check("snappy.warm-page.faithful")
    assert warm.look(FakeMachine([page(elapsed_s=0.5)], emulated=True)).ok
    with pytest.raises(NothingToLookAt, match=r"1\.50 s .* emulates"):
        warm.look(FakeMachine([page(elapsed_s=1.5)], emulated=True))
    machine = FakeMachine([page(), page(elapsed_s=7)], output=["ended: 12"], emulated=True)
    with pytest.raises(NothingToLookAt, match=r"7\.00 s, .* emulates"):
        check("snappy.first-page.faithful").look(machine)


def test_the_first_page_is_timed_after_its_worker_ended() -> None:
    machine = FakeMachine([page(), page(elapsed_s=7)], output=["ended: 12 13 "])
    look = check("snappy.first-page.faithful").look(machine)
    assert (look.ok, look.actual) == (False, "7.00 s")
    assert "end_r $first" in machine.asked[1]


def test_a_first_page_is_not_claimed_when_no_worker_was_ended() -> None:
    with pytest.raises(CannotLook, match="warm page"):
        check("snappy.first-page.faithful").look(FakeMachine(output=["ended: "]))


@pytest.mark.parametrize("answer", [page(status=500), NoAnswer("refused")])
def test_what_does_not_come_is_not_timed(answer: WebAnswer | NoAnswer) -> None:
    with pytest.raises(CannotLook):
        check("snappy.warm-page.faithful").look(FakeMachine([answer]))
