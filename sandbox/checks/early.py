"""Kill Shiny Server while the probe's R still works: what can be done meanwhile, is.

The kill waits until the probe has read all that needs the running server, and the inspection is
done before it. The pytest process, which starts meanwhile, finds the outcome in its folder.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Self

from sandbox.checks import inspection, up
from sandbox.checks.check import CannotLook
from sandbox.checks.early_outcome import EarlyOutcome
from sandbox.checks.live import CheckedMachine
from sandbox.placement import Placement


class EarlyRestart:
    """One kill, begun when the probe says so."""

    def __init__(self, placement: Placement, machine: CheckedMachine) -> None:
        self._placement = placement
        self._machine = machine
        self._go = Event()
        self._may_kill = False
        self._inspected: Future[str] = Future()
        self.outcome: Future[EarlyOutcome] = Future()

    @contextmanager
    def beside(self) -> Iterator[Self]:
        """Let it be done beside the block; at the block's end the server was looked at."""
        with ThreadPoolExecutor(1, thread_name_prefix="early-restart") as pool:
            pool.submit(self._work)
            try:
                yield self
            finally:
                self._go.set()

    def at_app(self) -> None:
        """Let the kill begin: the probe has read what needs the running server."""
        self._may_kill = True
        self._go.set()

    def inspection(self) -> str:
        """Give the answer from before the kill, the probe being over; empty without a kill."""
        self._go.set()
        return self._inspected.result()

    def _work(self) -> None:
        answer = self._inspection()
        self._go.wait()
        answer = answer if self._may_kill else ""
        self._inspected.set_result(answer)
        if answer:
            self.outcome.set_result(self._kill())

    def _inspection(self) -> str:
        try:
            answer = self._machine.sudo(inspection.inspection_script(self._placement.plan))
            inspection.parse_inspection(answer)
        except Exception:  # noqa: BLE001  (the pytest process asks again, and says what is wrong)
            return ""
        return answer

    def _kill(self) -> EarlyOutcome:
        try:
            look = up.Restart(self._placement)(self._machine)
        except CannotLook as error:
            return EarlyOutcome(cannot=str(error))
        except Exception as error:  # noqa: BLE001  (one check that breaks must not hide the others)
            return EarlyOutcome(cannot=f"{type(error).__name__}: {error}")
        pages = dict(self._machine.first_pages)
        return EarlyOutcome(ok=look.ok, actual=look.actual, fix=look.fix, first_pages=pages)
