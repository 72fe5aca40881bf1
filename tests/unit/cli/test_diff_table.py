"""The differences as text."""

from sandbox.cli.diff_table import render_diff
from sandbox.facts.diff import compare
from sandbox.facts.differences import Diff, Selection
from sandbox.facts.facts import Facts
from sandbox.facts.sides import Side
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.timezone import Timezone
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good

FACTS = good().facts


def with_packages(count: int) -> Facts:
    """A login's R and an app's R with that many packages more."""
    r = FACTS[RInstallations][0]
    views = tuple(
        view.model_copy(
            update={
                "packages": (
                    *view.packages,
                    *(
                        view.packages[0].model_copy(update={"name": f"own{number}"})
                        for number in range(count)
                    ),
                )
            }
        )
        for view in r.views
    )
    return with_named(FACTS, r=(r.model_copy(update={"views": views}),))


FEW = with_packages(1), FACTS


def diff(count: int) -> Diff:
    selection = Selection(only=("r.package",))
    sides = Side(name="prod", facts=with_packages(count)), Side(name="box", facts=FACTS)
    return compare(*sides, selection)


def test_a_difference_says_both_values_and_what_it_can_mean() -> None:
    found = diff(1)
    text = render_diff(found, colour=False)
    (one,) = found.differences
    for words in (one.why, one.link, one.id, "prod      1.7.4", "box       (not there)"):
        assert words in text, words


def test_many_of_a_kind_share_their_explanation() -> None:
    found = diff(30)
    text = render_diff(found, colour=False)
    assert text.count(found.differences[0].link) == 1
    assert "the version of an R package: 30 differ" in text
    for number in range(30):
        assert f"own{number} " in text
    assert "r.package.…" in text
    assert len(text.splitlines()) < 45


def test_long_names_are_not_cut() -> None:
    """Two files in one folder would be called the same."""
    named = "captured/production/2026-11-01.facts.json", "captured/production/2026-11-22.facts.json"
    a, b = (Side(name=name, facts=facts) for name, facts in zip(named, FEW, strict=True))
    text = render_diff(compare(a, b, Selection(only=("r.package",))), colour=False)
    for name in named:
        assert name in text
    assert max(map(len, text.splitlines())) <= 100


def test_what_a_machine_says_cannot_command_the_terminal() -> None:
    evil = with_named(FACTS, timezone=FACTS[Timezone].model_copy(update={"name": "\x1b[2Jgone"}))
    found = compare(Side(name="prod", facts=FACTS), Side(name="box", facts=evil))
    assert "\x1b" not in render_diff(found, colour=False)
