"""Shiny Server's configuration, parsed lightly: what it listens on, serves, and runs apps as."""

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import Final

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.making import Change, Made, Making, Unsaid
from sandbox.facts.part import FactsModel, FactsPart
from sandbox.facts.shapes import MOST_LINES, Shape
from sandbox.facts.shiny_keys import ShinyKeys, shiny_keys
from sandbox.facts.subject import Facts, Hashes, Stated, Subject
from sandbox.facts.subjects.fronts import front_of
from sandbox.facts.unsaid import listed
from sandbox.plan import Plan
from sandbox.probe.frame import Frame, Section
from sandbox.probe.readers import PORTS, path, whole
from sandbox.servers.shiny_config import shiny_statements
from sandbox.spec.choices import SSH_PORT

# A placeholder is one word: the `#` of its hash begins no comment
_TOKEN = re.compile(
    r"""(?P<hidden><not\ taken:\ [^>\n]*>)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\#[^\n]*
    |(?P<stop>[{};])|(?P<bare>[^\s{};"'\#]+)""",
    re.VERBOSE | re.DOTALL,
)
_DEEPEST = 20


class ShinyListen(FactsModel):
    """One `listen` line of Shiny Server."""

    port: int
    address: str | None
    """None: all addresses."""


class ShinyStatement(FactsModel):
    """A statement of Shiny Server's configuration."""

    within: tuple[str, ...]
    """The blocks around it: `server`, `location /sales`; the second of the same is `server #2`."""
    name: str
    """`app_idle_timeout`"""
    words: tuple[str, ...]
    block: bool = False
    """Whether it opens a block."""

    @property
    def text(self) -> str:
        """As it stands in the file, without quotes."""
        return " ".join((self.name, *self.words, *(["{"] if self.block else [])))


class SeenShinyServer(FactsPart):
    """Shiny Server, its configuration parsed lightly."""

    version: str | None
    config_path: str
    config_target: str
    """What it is when symbolic links are followed."""
    run_as: tuple[str, ...]
    listens: tuple[ShinyListen, ...]
    site_dirs: tuple[str, ...]
    app_dirs: tuple[str, ...]
    log_dirs: tuple[str, ...]
    statements: tuple[ShinyStatement, ...] = ()
    """All of them, in the order of the file."""


def _check(section: Section) -> None:
    path(section.args[0], "the configuration's path")


def parse_shiny_server(frame: Frame) -> SeenShinyServer | None:
    """Parse the settings of Shiny Server; None where there is none."""
    section = frame.first("shiny-server")
    if section is None:
        return None
    path, target, version = (*section.args, "", "", "")[:3]
    found = tuple(statements(section.text))
    return SeenShinyServer(
        version=version or None,
        config_path=path,
        config_target=target or path,
        run_as=_all(found, "run_as"),
        listens=tuple(_listens(found)),
        site_dirs=_all(found, "site_dir"),
        app_dirs=_all(found, "app_dir"),
        log_dirs=_all(found, "log_dir"),
        statements=found,
    )


def statements(text: str) -> Iterator[ShinyStatement]:
    """Yield each statement with the blocks that it stands in; a block is a statement too."""
    within: list[str] = []
    seen: list[Counter[str]] = [Counter()]
    words: list[str] = []
    for found in _TOKEN.finditer(text):
        stop = found["stop"]
        if stop is None:
            # A comment matches none of the groups
            words += [word for word in found.groups() if word is not None]
            continue
        if words:
            yield _statement(within, words, block=stop == "{")
        if stop == "{":
            head = " ".join(words)
            seen[-1][head] += 1
            again = seen[-1][head]
            if len(within) < _DEEPEST:
                within.append(f"{head} #{again}" if again > 1 else head)
                seen.append(Counter())
        elif stop == "}" and within:
            within.pop()
            seen.pop()
        words = []
    if words:
        yield _statement(within, words, block=False)


def _statement(within: Sequence[str], words: Sequence[str], *, block: bool) -> ShinyStatement:
    name, *rest = words
    return ShinyStatement(within=tuple(within), name=name, words=tuple(rest), block=block)


def _all(found: Sequence[ShinyStatement], name: str) -> tuple[str, ...]:
    """Every argument of every `name`, each once, in order."""
    words = (word for one in found if one.name == name for word in one.words)
    return tuple(dict.fromkeys(words))


def _listens(found: Sequence[ShinyStatement]) -> Iterator[ShinyListen]:
    for one in found:
        if one.name == "listen" and one.words and one.words[0].isdecimal():
            address = one.words[1] if len(one.words) > 1 else None
            port = whole(one.words[0], "a port to listen on", within=PORTS)
            yield ShinyListen(port=port, address=None if address == "*" else address)


def run_as(facts: Facts) -> Reading:
    """Return the account that Shiny apps run as."""
    shiny = facts.get(SeenShinyServer)
    if shiny is None:
        return {}
    return {"": ", ".join(shiny.run_as) or "shiny"}


def settings(facts: Facts) -> Reading:
    """Return all other settings of the configuration, by the blocks that they stand in."""
    shiny = facts.get(SeenShinyServer)
    found = shiny.statements if shiny is not None else ()
    return {
        " > ".join((*one.within, one.name)): " ".join(one.words)
        for one in found
        if not one.block and (one.within or one.name != "run_as")
    }


def _stated(plan: Plan, _: Hashes) -> Stated:
    shiny = plan.services.shiny_server
    if shiny is None:
        return {}
    said = shiny_statements(shiny)
    account = said.pop("run_as", "")
    stated: dict[str, Reading] = {"shiny.setting": dict(said)} if said else {}
    # Those of locations count, too: the kind has every account that apps run as
    others = any(name.endswith(" > run_as") for name in said)
    return stated | ({"access.run-as": {"": account}} if account and not others else {})


_USUAL_STATEMENTS: Final = frozenset(
    {"run_as shiny", "site_dir /srv/shiny-server", "log_dir /var/log/shiny-server"}
    | {"directory_index on", "location / {", "server {"}
)
"""Of the file that comes with Shiny Server."""

_USUAL_PORT: Final = 3838


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    shiny = facts.get(SeenShinyServer)
    if shiny is None:
        return
    said = ShinyKeys()
    if "shiny_server" not in making.base.offers:
        yield Unsaid(f"Shiny Server {shiny.version or ''}: {making.base.name} has none".strip())
    else:
        port = shiny.listens[0].port if shiny.listens else _USUAL_PORT
        if port == SSH_PORT or port not in range(1, 65536):
            yield Unsaid(f"Shiny Server listens on port {port}, which no sandbox can")
            port = _USUAL_PORT
        yield Change(("services", "shiny_server", "port"), port)
        front = front_of(facts, port)
        if front is not None and front.path == "/":
            yield Change(("services", "nginx", "port"), front.port)
        said = shiny_keys(shiny.statements)
        for key, value in said.values.items():
            yield Change(("services", "shiny_server", key), value)
        places = ", ".join((*shiny.site_dirs, *shiny.app_dirs))
        yield Unsaid(f"the apps of Shiny Server ({places}): copy them, and name them in `apps:`")
    yield from map(Unsaid, other_statements(shiny, said.used))


def other_statements(shiny: SeenShinyServer, said: Container[int] = ()) -> Iterator[str]:
    """Yield the server's statements, but for the usual ones and the first port it listens on.

    Args:
        shiny: as it was seen.
        said: numbers of the statements that the box says.
    """
    listens = iter([one for one in shiny.statements if one.name == "listen"])
    first = next(listens, None)
    usual = f"listen {first.words[0]}" if first is not None and first.words else ""
    found = [
        _shown(one)
        for number, one in enumerate(shiny.statements)
        if number not in said
        and one.text not in _USUAL_STATEMENTS
        and not (one is first and one.text in (usual, f"{usual} *", f"{usual} 0.0.0.0"))
    ]
    if found:
        yield f"{shiny.config_path} also says: {listed(found)}"


def _shown(statement: ShinyStatement) -> str:
    return " > ".join((*statement.within, statement.text))


SHINY = Subject(
    name="shiny_server",
    rank=130,
    part=SeenShinyServer,
    sections={"shiny-server": Shape(_check, (1, 3), lines=MOST_LINES)},
    parse=parse_shiny_server,
    kinds=(
        kind_of_machine(
            "access.run-as",
            Consequence.ACCESS,
            40,
            title="the account that apps run as",
            how="exact",
            why="it decides which files an app can read, and which a stranger through it",
            bug="rstudio/shiny/issues/2313",
            read=run_as,
        ),
        kind_of_machine(
            "shiny.setting",
            Consequence.BEHAVIOUR,
            45,
            title="a setting of Shiny Server",
            how="exact",
            why="sessions end sooner, logs are gone or a place answers with another app",
            bug="rstudio/shiny-server/issues/329",
            read=settings,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
