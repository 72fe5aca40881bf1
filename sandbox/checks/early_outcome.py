"""What comes of Shiny Server that is killed while the probe still works."""

from pydantic import BaseModel, ConfigDict

from sandbox.checks.check import CannotLook, Look
from sandbox.checks.live import CheckedMachine


class EarlyOutcome(BaseModel):
    """What the look at a server that was killed came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ok: bool = False
    actual: str = ""
    fix: str = ""
    first_pages: dict[str, float] = {}
    cannot: str = ""
    """Why nobody could look; empty when somebody did."""

    def look(self, machine: CheckedMachine) -> Look:
        """Give what was found, as if the machine had been asked now.

        Raises:
            CannotLook: as then.
        """
        if self.cannot:
            raise CannotLook(self.cannot)
        machine.first_pages.update(self.first_pages)
        return Look(self.ok, self.actual, self.fix)
