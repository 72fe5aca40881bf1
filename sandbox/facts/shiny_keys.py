"""The keys of a box that make Shiny Server's configuration as it was seen, and what has none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from sandbox.facts.making import BoxItems, BoxValue
from sandbox.spec.choices import SSH_PORT
from sandbox.spec.shiny_directives import DIRECTIVES, Place, Setting, read_words
from sandbox.spec.shiny_server import ShinyLocation, ShinyServer, ShinySettings, ShinySite

if TYPE_CHECKING:
    from sandbox.facts.subjects.shiny import ShinyStatement

_FIRST: Final = ("server",)
_ROOT: Final = (*_FIRST, "location /")
_EVERYWHERE: Final = ("*", "0.0.0.0")  # noqa: S104  (words of a configuration that was read)
_USUAL: Final[Mapping[str, Setting]] = {
    "run_as": "shiny",
    "site_dir": "/srv/shiny-server",
    "log_dir": "/var/log/shiny-server",
    "directory_index": True,
}
"""What the role writes when the box says nothing."""


@dataclass
class ShinyKeys:
    """What a box says, by key, and the numbers of the statements that it so says."""

    values: dict[str, BoxValue] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)


def shiny_keys(statements: "Sequence[ShinyStatement]") -> ShinyKeys:
    """Find the keys of `services.shiny_server`, but for the first port."""
    found = _Reader(statements)
    found.read_top()
    found.read_first()
    found.read_servers()
    return found.keys


class _Reader:
    def __init__(self, statements: "Sequence[ShinyStatement]") -> None:
        self._statements = statements
        self._heads = [one for one in statements if one.block and one.name == "server"]
        self.keys = ShinyKeys()
        self._ports = {SSH_PORT, *(int(words[0]) for words in self._listens(_FIRST))}

    def read_top(self) -> None:
        """Read the settings of the whole server."""
        for number, one in self._within(()):
            self._lift(number, one, "top")

    def read_first(self) -> None:
        """Read the first server: what it says counts for all where there is nothing else."""
        for words in self._listens(_FIRST):
            if words[1:] == ("127.0.0.1",) or words[1:] == ("::",):
                self.keys.values["host"] = words[1]
                self.keys.used |= {n for n, one in self._within(_FIRST) if one.name == "listen"}
        alone = len(self._heads) == 1
        for number, one in self._within(_FIRST):
            if alone and "top" in _places(one.name):
                self._lift(number, one, "server")
        locations = self._locations(_FIRST, at_root=False)
        for number, one in self._within(_ROOT):
            value = _value(one)
            if value is not None and _USUAL.get(one.name) == value:
                self.keys.used.add(number)
            elif alone and not locations and "top" in _places(one.name):
                self._lift(number, one, "location")
        if locations:
            self.keys.values["locations"] = BoxItems(tuple(locations))

    def read_servers(self) -> None:
        """Read the servers after the first."""
        sites = []
        for number in range(2, len(self._heads) + 1):
            within = (f"server #{number}",)
            said: dict[str, Any] = dict(self._settings(within, "server"))
            for words in self._listens(within):
                said |= {"port": int(words[0])}
                if words[1:] and words[1] not in _EVERYWHERE:
                    said["host"] = words[1]
            if said.get("port") in self._ports and "server_name" not in said:
                continue
            before = set(self.keys.used)
            said["locations"] = tuple(self._locations(within, at_root=True))
            site = _made(ShinySite, said)
            if site is None or not said["locations"]:
                self.keys.used = before
                continue
            self._ports.add(said["port"])
            sites.append(site)
            self._use(within, {*said, "listen"})
        if sites:
            self.keys.values["servers"] = BoxItems(tuple(sites))

    def _lift(self, number: int, one: "ShinyStatement", place: Place) -> None:
        """Take a setting for the whole server, unless another one stands there."""
        value = _value(one)
        if value is None or one.name in self.keys.values or place not in _places(one.name):
            return
        if _USUAL.get(one.name) == value and one.name != "directory_index":
            self.keys.used.add(number)
        elif _made(ShinyServer, {one.name: value}) and not _is_root(one.name, value):
            self.keys.values[one.name] = value
            self.keys.used.add(number)

    def _locations(self, within: tuple[str, ...], *, at_root: bool) -> list[Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for _, head in self._within(within, blocks=True):
            if head.name != "location" or len(head.words) != 1:
                continue
            path = head.words[0]
            inside = (*within, f"location {path}")
            bare = path.rstrip("/") or "/"
            if (bare == "/" and not at_root) or bare in found:
                continue
            said = dict(self._settings(inside, "location"))
            plain = {"log_dir"} if self._logs_as_usual(said, within) else set[str]()
            for name in plain:
                del said[name]
            made = _made(ShinyLocation, {"path": path, **said})
            if made is not None:
                found[bare] = made
                self._use(inside, {*said, *plain})
        return list(found.values())

    def _logs_as_usual(self, said: Mapping[str, Setting], within: tuple[str, ...]) -> bool:
        """Whether a location's log folder is the one that it has without saying so."""
        elsewhere = "log_dir" in self.keys.values or any(
            one.name == "log_dir" for _, one in self._within(within)
        )
        return said.get("log_dir") == _USUAL["log_dir"] and not elsewhere

    def _settings(self, within: tuple[str, ...], place: Place) -> Iterator[tuple[str, Setting]]:
        for _, one in self._within(within):
            value = _value(one)
            if value is not None and place in _places(one.name) and not _is_root(one.name, value):
                yield one.name, value

    def _listens(self, within: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for _, one in self._within(within):
            if one.name == "listen" and one.words and one.words[0].isdecimal():
                yield one.words

    def _within(
        self, within: tuple[str, ...], *, blocks: bool = False
    ) -> "Iterator[tuple[int, ShinyStatement]]":
        for number, one in enumerate(self._statements):
            if one.within == within and one.block == blocks:
                yield number, one

    def _use(self, within: tuple[str, ...], names: set[str]) -> None:
        """Mark statements as said, and the block that they stand in."""
        self.keys.used |= {number for number, one in self._within(within) if one.name in names}
        heads = [number for number, one in enumerate(self._statements) if _label(one) == within[-1]]
        outer = within[:-1]
        self.keys.used |= {n for n in heads if self._statements[n].within == outer}
        if within[-1].startswith("server #"):
            number = int(within[-1].partition("#")[2]) - 1
            self.keys.used.add(
                next(n for n, one in enumerate(self._statements) if one is self._heads[number])
            )


def _label(one: "ShinyStatement") -> str:
    return " ".join((one.name, *one.words)) if one.block else ""


def _places(name: str) -> tuple[Place, ...]:
    directive = DIRECTIVES.get(name)
    return directive.places if directive is not None else ()


def _value(one: "ShinyStatement") -> Setting | None:
    directive = DIRECTIVES.get(one.name)
    return read_words(directive, one.words) if directive is not None else None


def _is_root(name: str, value: Setting) -> bool:
    return name == "run_as" and "root" in str(value).split()


def _made(model: type[ShinySettings], said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The keys as a box has them; None when it cannot."""
    try:
        made = model.model_validate(said)
    except ValidationError:
        return None
    return made.model_dump(mode="json", exclude_unset=True, exclude_none=True)
