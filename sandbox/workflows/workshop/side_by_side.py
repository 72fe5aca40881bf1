"""Do the same for many seats, a few at a time; one that fails does not stop the others."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from sandbox.errors import SandboxError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class SeatOutcome(Generic[Item, Result]):
    """How it went for one of them: a result or an error."""

    item: Item
    result: Result | None = None
    error: SandboxError | None = None


def side_by_side(
    items: Sequence[Item],
    do: Callable[[Item], Result],
    *,
    at_once: int,
    on_done: Callable[[SeatOutcome[Item, Result]], None] | None = None,
) -> tuple[SeatOutcome[Item, Result], ...]:
    """Call `do` with each item, `at_once` of them at a time; return the outcomes in their order.

    At an interrupt, or an error that is none of ours, no further item is begun; the ones that
    are under way come to their end first.

    Args:
        items: the items.
        do: runs in a thread; a SandboxError of it becomes the item's outcome.
        at_once: how many run side by side, at least 1.
        on_done: called, in the caller's thread, as each of them ends.
    """
    outcomes: dict[int, SeatOutcome[Item, Result]] = {}
    with ThreadPoolExecutor(max_workers=max(1, at_once)) as pool:
        futures: dict[Future[SeatOutcome[Item, Result]], int] = {
            pool.submit(copy_context().run, _one, item, do): at for at, item in enumerate(items)
        }
        try:
            for done in as_completed(futures):
                outcome = done.result()
                outcomes[futures[done]] = outcome
                if on_done is not None:
                    on_done(outcome)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(outcomes[at] for at in range(len(items)))


def _one(item: Item, do: Callable[[Item], Result]) -> SeatOutcome[Item, Result]:
    try:
        return SeatOutcome(item, result=do(item))
    except SandboxError as error:
        return SeatOutcome(item, error=error)
