"""Shiny Server's configuration, parsed lightly: what it listens on, serves, and runs apps as."""

import re
from collections.abc import Iterator

from sandbox.probe.facts_setup import ShinyListen, ShinyServer
from sandbox.probe.frame import Frame
from sandbox.probe.readers import PORTS, whole

_TOKEN = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\#[^\n]*|([{};])|([^\s{};"'\#]+)""")


def parse_shiny_server(frame: Frame) -> ShinyServer | None:
    """Its settings; None where there is no Shiny Server."""
    section = frame.first("shiny-server")
    if section is None:
        return None
    path, target, version = (*section.args, "", "", "")[:3]
    statements = list(_statements(section.text))
    return ShinyServer(
        version=version or None,
        config_path=path,
        config_target=target or path,
        run_as=_all(statements, "run_as"),
        listens=tuple(_listens(statements)),
        site_dirs=_all(statements, "site_dir"),
        app_dirs=_all(statements, "app_dir"),
        log_dirs=_all(statements, "log_dir"),
    )


def _statements(text: str) -> Iterator[tuple[str, ...]]:
    """`name arg …` of each statement, whatever it is nested in."""
    words: list[str] = []
    for found in _TOKEN.finditer(text):
        double, single, stop, bare = found.groups()
        if stop is not None:
            if words:
                yield tuple(words)
            words = []
        else:
            # A comment matches none of the groups
            words += [word for word in (double, single, bare) if word is not None]


def _all(statements: list[tuple[str, ...]], name: str) -> tuple[str, ...]:
    """Every argument of every `name`, each once, in order."""
    found = (word for head, *rest in statements if head == name for word in rest)
    return tuple(dict.fromkeys(found))


def _listens(statements: list[tuple[str, ...]]) -> Iterator[ShinyListen]:
    for head, *rest in statements:
        if head == "listen" and rest and rest[0].isdecimal():
            address = rest[1] if len(rest) > 1 else None
            port = whole(rest[0], "a port to listen on", within=PORTS)
            yield ShinyListen(port=port, address=None if address == "*" else address)
