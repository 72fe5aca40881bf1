"""One provisioned Shiny sandbox, shared by the tests that only look at it or put it right again."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Host


@dataclass
class Shiny:
    """The sandbox made from boxes/shiny.yml, and what the first `up` said."""

    host: Host
    name: str
    first_up: subprocess.CompletedProcess[str]

    @property
    def url(self) -> str:
        return self.first_up.stdout.split()[-1]

    def exec(self, *command: str, expect: int | None = 0) -> str:
        return self.host.sandbox("exec", self.name, "--", *command, expect=expect).stdout

    def as_root(self, script: str, *, expect: int | None = 0) -> str:
        return self.exec("sudo", "-n", "bash", "-c", script, expect=expect)

    def check(self, *args: str, expect: int | None = None) -> dict[str, Any]:
        done = self.host.sandbox("check", self.name, "--json", *args, expect=expect)
        report: dict[str, Any] = json.loads(done.stdout)
        return report


@pytest.fixture(scope="session")
def shiny(host: Host) -> Iterator[Shiny]:
    """`sandbox up boxes/shiny.yml`, as README says it."""
    first = host.sandbox("up", "boxes/shiny.yml", timeout_s=1800)
    yield Shiny(host, "shiny", first)
    host.sandbox("destroy", "shiny")
