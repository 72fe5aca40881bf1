"""The pages as text; what a browser makes of them is tested in tests/integration/test_page.py."""

from html.parser import HTMLParser
from pathlib import Path

from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.facts.diff import compare
from sandbox.facts.differences import Diff, Selection
from sandbox.facts.facts import Facts
from sandbox.facts.sides import Side
from sandbox.facts.subjects.machine import MachineSize
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.timezone import Timezone
from sandbox.record import Record
from sandbox.report.page import diff_page, sandbox_page
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import full_plan, good
from tests.unit.factories import placed

FACTS = good().facts
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def other() -> Facts:
    machine = FACTS[MachineSize].model_copy(update={"memory_mb": 100})
    timezone = FACTS[Timezone].model_copy(update={"name": EVIL})
    return with_named(FACTS, machine=machine, timezone=timezone)


def difference() -> Diff:
    accept = {"machine.memory": "a laptop has less"}
    sides = Side(name="prod", facts=FACTS), Side(name="box", facts=other())
    return compare(*sides, Selection(accept=accept))


def many(count: int, accept: dict[str, str] | None = None) -> Diff:
    """Production has so many R packages more, the first of them in an app in another version."""
    r = FACTS[RInstallations][0]
    views = []
    for view in r.views:
        first = view.packages[0]
        more = [first.model_copy(update={"name": f"own{i}"}) for i in range(count)]
        if view.seen_by == "shiny":
            more[0] = more[0].model_copy(update={"version": "9.9"})
        views.append(view.model_copy(update={"packages": (*view.packages, *more)}))
    r = r.model_copy(update={"views": tuple(views)})
    with_more = with_named(FACTS, r=(r,))
    sides = Side(name="prod", facts=with_more), Side(name="box", facts=other())
    return compare(*sides, Selection(accept=accept or {}))


RECORD = Record(placement=placed(full_plan()))


def report() -> CheckReport:
    results = (
        CheckResult(
            id="up.x", goal=Goal.UP, title="it answers", outcome=Outcome.FAILED,
            expected="200", actual=EVIL, why="people wait", fix="sandbox up box",
        ),
        CheckResult(id="safe.x", goal=Goal.SAFE, title="no password", outcome=Outcome.PASSED),
    )  # fmt: skip
    return CheckReport(sandbox="box", box="box", plan_key="k", elapsed_s=1, results=results)


def page() -> str:
    record = RECORD.advanced("created").advanced("checked", note="1 failed")
    return sandbox_page(record, FACTS, report(), difference(), FACTS, made_at="2026-11-22")


def test_it_says_what_the_machine_is_and_how_its_checks_went() -> None:
    words = Elements(page()).words
    for wanted in (
        "R version 4.2.2 Patched", "Europe/Vienna", "openblas", "1 of 2 hold",
        "1 of 1 not as they should be", "people wait", "sandbox up box", "not checked yet",
        "created", "checked",
    ):  # fmt: skip
        assert wanted in words, wanted


def test_the_figures_of_fidelity_are_those_of_the_diff() -> None:
    found = difference()
    words = " ".join(Elements(diff_page(found, made_at="now")).words.split())
    assert f"{found.compared}facts compared" in words
    equal = found.compared - len(found.differences) - len(found.accepted)
    assert f"{equal}equal" in words
    assert f"{len(found.differences)}differ" in words
    assert f"{len(found.accepted)}differ, and accepted" in words
    assert "a laptop has less" in words
    for one in found.differences:
        assert one.why in words
        assert one.link in diff_page(found, made_at="now")


def test_many_of_a_kind_share_their_explanation() -> None:
    found = many(30)
    text = diff_page(found, made_at="now")
    words = Elements(text).words
    packages = [one for one in found.differences if one.id.startswith("r.package.own")]
    assert len(packages) == 31
    assert text.count(packages[0].link) == 1
    assert words.count(packages[0].why) == 1
    assert "the version of an R package: 31 differ" in words
    rows = [" ".join(row.split()) for row in _rows(text)]
    assert "own0 (seen in: login) 1.7.4 not there" in rows
    assert "own0 (seen in: app) 9.9 not there" in rows
    for number in range(1, 30):
        assert f"own{number} 1.7.4 not there" in rows


def test_accepted_ones_of_a_kind_keep_their_own_reasons() -> None:
    text = diff_page(
        many(4, {"r.package.own1": "never loaded", "r.package.own2": "a toy"}), made_at="now"
    )
    words = Elements(text).words
    for wanted in ("never loaded", "a toy", "the version of an R package: 2 differ"):
        assert words.count(wanted) == 1, wanted


def test_what_was_not_compared_says_each_reason_once() -> None:
    r = FACTS[RInstallations][0]
    only_login = r.model_copy(update={"views": r.views[:1]})
    blind = with_named(FACTS, r=(only_login,))
    found = compare(Side(name="prod", facts=FACTS), Side(name="box", facts=blind))
    silent = [one for one in found.facts if one.outcome not in ("equal", "differs")]
    reasons = {one.note for one in silent}
    assert len(silent) > 10 * len(reasons)
    words = Elements(diff_page(found, made_at="now")).words
    for reason in reasons:
        assert words.count(reason) == 1, reason
    for one in silent:
        assert one.id in words


def _rows(text: str) -> list[str]:
    """The words of each row of the tables, a cell a line."""
    rows = (part.partition("</tr>")[0] for part in text.split("<tr>")[1:])
    return [Elements(row.replace("</t", "\n</t")).words for row in rows]


def test_nothing_is_loaded_from_anywhere() -> None:
    for text in (page(), diff_page(difference(), made_at="now")):
        for tag, attributes in Elements(text).found:
            assert tag not in {"link", "iframe", "object", "embed", "img"}, tag
            assert "src" not in attributes, tag
        assert "@import" not in text
        assert "url(" not in text
        assert "default-src 'none'" in text


def test_what_a_machine_says_is_text_and_never_markup() -> None:
    for text in (page(), diff_page(difference(), made_at="now")):
        assert EVIL not in text
        assert [tag for tag, _ in Elements(text).found].count("script") == 1
        assert "alert(1)" in Elements(text).words


def test_a_sandbox_of_which_nothing_is_known_yet() -> None:
    text = sandbox_page(RECORD, None, None, None, None, made_at="now")
    words = Elements(text).words
    assert "none yet" in words
    assert "was not compared with a production server" in words


def test_a_sandbox_that_was_never_measured_is_not_said_to_have_no_production() -> None:
    placement = placed(full_plan(), production=Path("/boxes/prod.facts.json"))
    text = sandbox_page(Record(placement=placement), None, None, None, FACTS, made_at="now")
    words = " ".join(Elements(text).words.split())
    assert "names none" not in words
    assert f"sandbox check {placement.name} does both" in words


def test_ports_that_nobody_could_read_are_not_called_closed() -> None:
    facts = with_named(FACTS, ports=None)
    text = sandbox_page(RECORD, facts, None, None, None, made_at="now")
    assert "Open portscould not be read" in " ".join(Elements(text).words.split())


def test_what_was_taken_back_is_not_said_to_be_checked() -> None:
    """A reset forgets the last checks; the history has them still."""
    record = RECORD.advanced("checked", note="61 passed").advanced("reset")
    said = Elements(sandbox_page(record, FACTS, None, None, None, made_at="now")).words
    words = " ".join(said.split())
    assert "not checked since it was made, or taken back" in words
    assert f"sandbox check {record.placement.name}" in words
    assert "last on" not in words


def test_what_a_machine_says_does_not_turn_the_page_round_nor_hide_in_it() -> None:
    hostile = "evil\x1b[2J\x00\x9b\u202egnp\u2066\u200bend\ud800"
    failed = CheckResult(
        id="up.system", goal=Goal.UP, title=hostile, outcome=Outcome.FAILED, actual=hostile
    )
    checks = report().model_copy(update={"results": (failed,)})
    facts = with_named(FACTS, os=FACTS[Os].model_copy(update={"name": hostile, "kernel": hostile}))
    text = sandbox_page(RECORD, facts, checks, None, None, made_at="now")
    assert "evil" in text
    assert not {char for char in set(text) if not char.isprintable() and char not in "\n\t"}
    text.encode("utf-8")
