"""The servers that a machine can run: one file each, found by listing this folder.

To add a server: a file here with a `SERVER`, its settings in the models of a box, and its role.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.servers.server import Server

if TYPE_CHECKING:
    from sandbox.spec.services import Services


@cache
def servers() -> tuple[Server, ...]:
    """List all servers, by name."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(module.SERVER for module in modules if hasattr(module, "SERVER"))


def wanted(services: "Services") -> tuple[Server, ...]:
    """List the servers that a box asks for."""
    return tuple(server for server in servers() if server.is_in(services))
