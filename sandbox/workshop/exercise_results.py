"""Who is how far: how each exercise's check ended last in each seat, in `exercises.json`."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from sandbox.files import write_whole
from sandbox.saved import BrokenFileError
from sandbox.workshop.store import WorkshopStore
from sandbox.workshop.view import ExerciseResult

_FILE: Final = "exercises.json"


class ExerciseResults(BaseModel):
    """The results, by the number of the seat and the exercise's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    seats: Mapping[int, Mapping[str, ExerciseResult]] = {}


def exercise_results(store: WorkshopStore) -> ExerciseResults:
    """Read the results; none when there is no file, or a damaged one: the next run writes it."""
    with suppress(BrokenFileError):
        return store.saved(_FILE, ExerciseResults) or ExerciseResults()
    return ExerciseResults()


def keep_results(
    store: WorkshopStore, found: Mapping[int, Mapping[str, ExerciseResult]]
) -> ExerciseResults:
    """Replace the results of these seats; return all."""
    with store.hold("results"):
        seats = {**exercise_results(store).seats, **found}
        results = ExerciseResults(seats=dict(sorted(seats.items())))
        write_whole(store.part() / _FILE, results.model_dump_json(indent=1))
        return results
