"""Reports for tests of what is made from them."""

from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome

HOSTILE = "\x1b[31mred\x1b[0m \x00 <b>&\"' ]]> \ud800 \ufffe end"


def result(
    check_id: str, outcome: Outcome, *, actual: str = "found", title: str = ""
) -> CheckResult:
    """One result; its goal is the first word of its id."""
    return CheckResult(
        id=check_id,
        goal=Goal(check_id.split(".", 1)[0]),
        title=title or f"{check_id} holds",
        outcome=outcome,
        expected="wanted",
        actual=actual,
        why="it matters",
        fix="sandbox up shiny",
        elapsed_s=0.25,
    )


def report(*results: CheckResult) -> CheckReport:
    """The given results, or one of each outcome."""
    return CheckReport(
        sandbox="shiny",
        box="shiny",
        plan_key="0123456789ab",
        elapsed_s=3.21,
        results=results
        or (
            result("up.system", Outcome.PASSED, actual="running"),
            result("safe.ports", Outcome.FAILED, actual="nc on 0.0.0.0 4444/tcp"),
            result("correct.os", Outcome.ERROR, actual="ssh failed"),
            result("snappy.disk", Outcome.SKIPPED, actual="left out (--quick)"),
        ),
    )
