"""Many seats at a time: order, errors, and the end of it."""

import threading

import pytest

from sandbox.errors import ProviderError
from sandbox.workflows.workshop.side_by_side import side_by_side


def test_outcomes_come_in_the_order_of_the_items_and_an_error_stops_nobody() -> None:
    def do(item: int) -> int:
        if item == 2:
            raise ProviderError("two is broken")
        return item * 10

    found = side_by_side([1, 2, 3], do, at_once=2)

    assert [one.item for one in found] == [1, 2, 3]
    assert [one.result for one in found] == [10, None, 30]
    assert found[1].error is not None


def test_no_more_than_so_many_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def do(_item: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1

    side_by_side(range(8), do, at_once=3)

    assert 2 <= most <= 3


def test_an_interrupt_begins_nothing_further() -> None:
    begun: list[int] = []

    def stop(_outcome: object) -> None:
        raise KeyboardInterrupt

    def do(item: int) -> None:
        begun.append(item)
        threading.Event().wait(0.02)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(range(50), do, at_once=1, on_done=stop)

    assert len(begun) < 5
