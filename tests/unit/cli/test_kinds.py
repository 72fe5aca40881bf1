"""`sandbox kinds`, as a user types it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from sandbox.cli.app import program
from sandbox.facts.differences import DiffOutcome, FactDiff, matches
from sandbox.facts.kind import Consequence, FactKind
from sandbox.facts.registry import kinds


def run(*args: str) -> str:
    result = CliRunner().invoke(program(("kinds",)), ["kinds", *args])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_kind_is_there_in_the_order_of_diff() -> None:
    text = run()
    places = [text.index(f"  {kind.id}  ") for kind in kinds()]
    assert places == sorted(places)


def test_each_consequence_is_a_heading_with_the_word_that_only_takes() -> None:
    rows = run().splitlines()
    headings = [row for row in rows if row and not row.startswith(" ")]
    counts = {one: sum(kind.consequence is one for kind in kinds()) for one in Consequence}
    assert headings == [
        f"{one.words}  ({one}, {counts[one]} kinds)" for one in Consequence if counts[one]
    ]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.id)
def test_a_kind_is_told_whole(kind: FactKind) -> None:
    words = " ".join(run().split())
    assert f"{kind.id} {kind.title} can mean {kind.why} seen at {kind.link}" in words


def test_json_has_what_a_program_needs() -> None:
    found = json.loads(run("--json"))
    first = kinds()[0]
    assert [one["id"] for one in found] == [kind.id for kind in kinds()]
    assert found[0] == {
        "id": first.id,
        "title": first.title,
        "consequence": first.consequence,
        "consequence_words": first.consequence.words,
        "why": first.why,
        "link": first.link,
    }


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.id)
def test_only_and_ignore_take_what_is_shown(kind: FactKind) -> None:
    fact = FactDiff(
        id=f"{kind.id}.item",
        consequence=kind.consequence,
        title=kind.title,
        outcome=DiffOutcome.DIFFERS,
        how=kind.how,
    )
    assert matches(fact, kind.id)
    assert matches(fact, kind.consequence)


def test_help_has_an_example() -> None:
    help_text = run("--help")
    assert "sandbox kinds" in help_text
    assert "--only" in help_text


def test_completion_offers_it() -> None:
    from sandbox.cli.completion import completions

    assert [one.value for one in completions([], "kin")] == ["kinds"]
    assert "--json" in [one.value for one in completions(["kinds"], "--")]


def test_it_is_registered_alone() -> None:
    command = typer.main.get_command(program(("kinds",)))
    assert list(getattr(command, "commands")) == ["kinds"]  # noqa: B009  (no stubs)
