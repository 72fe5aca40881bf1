"""What stands in a server's configuration and has no place in a box."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sandbox.facts.facts import Facts
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.shiny import SeenShinyServer, ShinyStatement
from sandbox.facts.subjects.units import Units

_SAID_ELSEWHERE: Final = ("/etc/environment", "Renviron", "Renviron.site", "Rprofile.site")
_SHINY_CONF: Final = "shiny-server.conf"
_USUAL_STATEMENTS: Final = frozenset(
    {"run_as shiny", "site_dir /srv/shiny-server", "log_dir /var/log/shiny-server"}
    | {"directory_index on", "location / {", "server {"}
)
"""Of the file that comes with Shiny Server."""
_OF_A_UNIT: Final[tuple[str, ...]] = (
    *("User", "Group", "EnvironmentFiles", "LimitNOFILE", "LimitNPROC", "MemoryMax", "TasksMax"),
    *("UMask", "PrivateTmp", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "Nice"),
)
_MOST: Final = 30
_LONGEST: Final = 300


def unsaid(facts: Facts) -> Iterator[str]:
    """A comment for each part of the configuration that a box cannot say."""
    shiny = facts.get(SeenShinyServer)
    if shiny is not None:
        yield from of_shiny_server(shiny)
    for config in facts.get(Configs) or ():
        if not config.path.endswith((*_SAID_ELSEWHERE, _SHINY_CONF)) and config.settings:
            yield f"{config.path} sets {_pairs(config.settings)}"
    for unit in facts.get(Units) or ():
        if "DropInPaths" in unit.settings:
            own = {key: unit.settings[key] for key in _OF_A_UNIT if key in unit.settings}
            yield f"{unit.name} is changed by {unit.settings['DropInPaths']}: {_pairs(own)}"


def of_shiny_server(shiny: SeenShinyServer) -> Iterator[str]:
    """Its statements, but for the usual ones and the first port that it listens on."""
    listens = iter([one for one in shiny.statements if one.name == "listen"])
    first = next(listens, None)
    usual = f"listen {first.words[0]}" if first is not None and first.words else ""
    found = [
        _shown(one)
        for one in shiny.statements
        if one.text not in _USUAL_STATEMENTS
        and not (one is first and one.text in (usual, f"{usual} *", f"{usual} 0.0.0.0"))
    ]
    if found:
        yield f"{shiny.config_path} also says: {_some(found)}"


def _shown(statement: ShinyStatement) -> str:
    return " > ".join((*statement.within, statement.text))


def _pairs(settings: Mapping[str, str]) -> str:
    return _some([f"{key}={value}" if value else key for key, value in settings.items()])


def _some(items: Sequence[str]) -> str:
    short = [_cut(" ".join(item.split())) for item in items[:_MOST]]
    more = len(items) - _MOST
    return "; ".join(short) + (f"; and {more} more" if more > 0 else "")


def _cut(text: str) -> str:
    """Not within a placeholder."""
    if len(text) <= _LONGEST:
        return text
    return re.sub(r"<[^>]*$", "", text[:_LONGEST]) + "…"
