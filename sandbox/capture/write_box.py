"""Write a box as a person would write it, from the facts of a production server."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.capture.choose_base import choose_base
from sandbox.facts import registry
from sandbox.facts.facts import Facts
from sandbox.facts.making import (
    AskedFor,
    BoxItems,
    BoxValue,
    Change,
    FileBeside,
    Made,
    Making,
    RCodeOf,
    Room,
    Unsaid,
)
from sandbox.facts.r_yaml import option_yaml
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.r import RInstallations, main_view
from sandbox.probe.untaken import without_hash
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*")
_YAML_WORDS = {"yes", "no", "true", "false", "on", "off", "null", "y", "n"}


@dataclass(frozen=True)
class CapturedBox:
    """The text of a box file, and notes on what a box cannot say."""

    text: str
    base: Base
    notes: tuple[str, ...]
    files: tuple[FileBeside, ...] = ()
    """What stands beside the box, and is named in it: lock files of R packages."""


@dataclass
class _CapturedDraft:
    changes: Mapping[tuple[str, ...], Change]
    lines: list[str] = field(default_factory=list)

    def add(self, line: str = "") -> None:
        self.lines.append(line)

    def block(self, heading: str, lines: list[str]) -> None:
        if lines:
            self.lines += [heading, *(_indented(line) for line in lines)]

    def value(self, *path: str) -> BoxValue | None:
        """Add a value at that place of the box."""
        found = self.changes.get(path)
        return found.value if found is not None else None

    def under(self, *path: str) -> dict[str, Change]:
        """Add values below a place of the box, by key."""
        size = len(path)
        return {
            place[size]: one
            for place, one in self.changes.items()
            if place[:size] == path and len(place) == size + 1
        }


def write_box(
    facts: Facts, *, source: str, facts_file: str, bases: Bases, room: Room
) -> CapturedBox:
    """Write the box.

    Args:
        facts: the facts of the production server.
        source: how the server was reached, for the first comment.
        facts_file: the name of the file with the facts, in the box's folder.
        bases: the bases that boxes can start from.
        room: the most that the sandbox may use.
    """
    base, notes = choose_base(facts, bases)
    stem = facts_file.removesuffix(".json").removesuffix(".facts")
    made = registry.made(facts, Making(base, room, main_view(facts), stem))
    draft = _CapturedDraft(_changes(made))
    notes = (*notes, *(one.text for one in made if isinstance(one, Unsaid)))
    day = _comment(facts.probe.taken_at[:10])
    system = facts[Os].name or facts[Os].id
    draft.add(f"# Captured from {_comment(source)} ({_comment(system)}) on {day}.")
    draft.add(
        f"# {facts_file} has all that was seen; `sandbox check` compares the sandbox with it."
    )
    draft.add()
    draft.add("version: 1")
    name = _comment(facts[Identity].hostname or source)[:200]
    draft.add(f"description: {_scalar(f'as {name}, captured {day}')}")
    draft.add(f"base: {base.name}")
    if size := draft.under("machine"):
        draft.add(f"machine: {_inline(size)}")
    draft.block("system:", _system(draft))
    services = _services(draft)
    if facts[RInstallations]:
        r = _r(draft)
        draft.add("r:" if r else "r: {}")
        draft.lines += [_indented(line) for line in r]
    elif services:
        draft.add("r: {}")
        notes = (*notes, "no R was seen there: the sandbox has the base's, for Shiny Server")
    draft.block("services:", services)
    draft.add()
    draft.add(f"production: {_scalar(facts_file)}")
    draft.add("# Differences that are known to stay: what, and why")
    draft.add("# accept:")
    draft.add('#   - {fact: machine.memory, why: "a laptop has less"}')
    if notes:
        draft.add()
        draft.add("# What this box cannot say, so that the sandbox will differ:")
        for note in notes:
            draft.lines += _folded(note)
    files = tuple(one for one in made if isinstance(one, FileBeside))
    text = "\n".join(draft.lines) + "\n"
    return CapturedBox(text, base, tuple(map(without_hash, notes)), files)


def _changes(made: Sequence[Made]) -> dict[tuple[str, ...], Change]:
    """By place; of lists for one place, which several subjects make, everything."""
    found: dict[tuple[str, ...], Change] = {}
    for one in made:
        if isinstance(one, Change):
            before = found.get(one.path)
            if before is not None and isinstance(one.value, tuple):
                earlier = before.value if isinstance(before.value, tuple) else ()
                all_of_it = tuple(sorted({*earlier, *one.value}))
                one = replace(one, value=all_of_it)  # noqa: PLW2901
            found[one.path] = one
    return found


def _system(draft: _CapturedDraft) -> list[str]:
    lines = []
    for key in ("timezone", "locale"):
        text = draft.value("system", key)
        if isinstance(text, str):
            lines.append(f"{key}: {_scalar(text)}")
    packages = draft.value("system", "packages")
    if isinstance(packages, tuple):
        lines.append(_list("packages", packages))
    environment = draft.under("system", "environment")
    lines += _named("environment", environment, {name: name for name in environment})
    if limits := draft.under("system", "limits"):
        lines.append(f"limits: {_inline(limits)}")
    return lines


def _r(draft: _CapturedDraft) -> list[str]:
    lines = []
    version, blas = draft.value("r", "version"), draft.value("r", "blas")
    if isinstance(version, str):
        lines.append(f"version: {_quoted(version)}")
    if (source := draft.value("r", "source")) is not None:
        lines.append(f"source: {source}")
    lines += _versions(draft)
    if isinstance(blas, str):
        lines.append(f"blas: {_scalar(blas)}")
    options = draft.under("r", "options")
    lines += _named("options", options, _secret_names(_hidden(options)))
    repos = draft.under("r", "repos")
    asked_as = _secret_names([f"repo.{name}" for name in _hidden(repos)])
    lines += _named("repos", repos, {name: asked_as.get(f"repo.{name}", "") for name in repos})
    lines += _packages(draft, "r")
    return lines


def _packages(draft: _CapturedDraft, *place: str) -> list[str]:
    lines = []
    for key, one in draft.under(*place, "packages").items():
        value = one.value
        plain = f"{key}: {_scalar(str(value))}"
        lines.append(_indented(_list(key, value) if isinstance(value, tuple) else plain))
    return ["packages:", *lines] if lines else []


def _versions(draft: _CapturedDraft) -> list[str]:
    """Several Rs, each an item of the list with its own packages."""
    numbers = {place[2] for place in draft.changes if place[:2] == ("r", "versions")}
    lines = []
    for number in sorted(numbers, key=int):
        place = ("r", "versions", number)
        said = draft.under(*place)
        keys = [
            f"{key}: {_quoted(str(one.value)) if key == 'version' else one.value}"
            for key, one in said.items()
        ]
        first, *others = [*keys, *_packages(draft, *place)]
        lines += [f"  - {first}", *(f"    {_continued(one)}" for one in others)]
    return ["versions:", *lines] if lines else []


def _continued(text: str) -> str:
    return text.replace("\n", "\n    ")


def _services(draft: _CapturedDraft) -> list[str]:
    nginx = draft.under("services", "nginx")
    front = [f"nginx: {_inline(nginx)}"] if nginx else []
    return [*front, *_shiny(draft), *_rstudio(draft)]


def _shiny(draft: _CapturedDraft) -> list[str]:
    shiny = draft.under("services", "shiny_server")
    if len(shiny) < 2:  # noqa: PLR2004  (one key fits beside the name)
        return [f"shiny_server: {_inline(shiny)}"] if shiny else []
    lines = ["shiny_server:"]
    for key, one in shiny.items():
        if isinstance(one.value, BoxItems):
            lines += [f"  {key}:", *(f"    - {_flow(item)}" for item in one.value.items)]
        else:
            lines.append(f"  {key}: {_flow(one.value)}")
    return lines


def _flow(value: Any) -> str:  # noqa: ANN401  (whatever JSON has)
    """Write a plain value on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value)


_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}")


def _rstudio(draft: _CapturedDraft) -> list[str]:
    place = ("services", "rstudio_server")
    version = draft.value(*place, "version")
    if not isinstance(version, str):
        return []
    lines = ["rstudio_server:", f"  version: {_quoted(version)}"]
    lines += [
        f"  {key}: {one.value}"
        for key, one in draft.under(*place).items()
        if key not in {"version", "config"}
    ]
    config = []
    for section in ("rserver", "rsession", "logging", "repos", "prefs"):
        settings = draft.under(*place, "config", section)
        if settings:
            config.append(f"    {section}:")
            switches = ("true", "false") if section == "prefs" else ()
            config += [
                f"      {key}: {one.value if one.value in switches else _setting(one.value)}"
                for key, one in settings.items()
            ]
    return lines + (["  config:", *config] if config else [])


def _setting(value: BoxValue) -> str:
    text = str(value)
    return text if _WHOLE.fullmatch(text) else _scalar(text)


def _hidden(values: Mapping[str, Change]) -> list[str]:
    """Names of values that were not taken."""
    return [name for name, one in values.items() if isinstance(one.value, AskedFor)]


def _named(heading: str, values: Mapping[str, Change], asked_as: Mapping[str, str]) -> list[str]:
    """Values by name, followed by those that `sandbox up` asks for."""
    if not values:
        return []
    lines = [f"{heading}:"]
    for name, one in values.items():
        if not isinstance(one.value, AskedFor):
            where = f"  # {_comment(one.comment)}" if one.comment else ""
            lines.append(f"  {_scalar(name)}: {_text(one.value)}{where}")
    hidden = _hidden(values)
    if hidden:
        lines.append(
            "  # Not taken from the server: `sandbox up` asks for the sandbox's own value of each"
        )
    lines += [f"  {_scalar(name)}: {{secret: {asked_as[name]}}}" for name in hidden]
    return lines


def _text(value: BoxValue) -> str:
    if isinstance(value, RCodeOf):
        return option_yaml(value.code) or "null"
    return _quoted(str(value))


def _inline(values: Mapping[str, Change]) -> str:
    """`{cpus: 2, memory_mb: 4096}`."""
    return f"{{{', '.join(f'{key}: {one.value}' for key, one in values.items())}}}"


def _secret_names(names: Sequence[str]) -> dict[str, str]:
    """Make `SALES_API_TOKEN` from sales.api_token: a variable's name, different for each."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()
        first = plain if re.match("[A-Z]", plain) else f"OPTION_{plain}".rstrip("_")
        number = sum(1 for one in found.values() if re.sub(r"__\d+$", "", one) == first)
        found[name] = f"{first}__{number + 1}" if number else first
    return found


def _indented(text: str) -> str:
    return "  " + text.replace("\n", "\n  ")


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    # A JSON string is a YAML string too
    return json.dumps(text, ensure_ascii=False)


def _list(key: str, items: tuple[str, ...]) -> str:
    """`key: [a, b]`, folded where it is long."""
    words = [_scalar(item) for item in items]
    line = f"{key}: [{', '.join(words)}]"
    if len(line) <= _WIDTH:
        return line
    rows, row = [], "   "
    for word in words:
        if len(row) + len(word) > _WIDTH:
            rows.append(row)
            row = "   "
        row += f" {word},"
    return "\n".join([f"{key}: [", *(f"  {row}" for row in [*rows, row]), "  ]"])


def _comment(text: str) -> str:
    """Remove what may not stand in a comment: control characters and hashes."""
    return "".join(char if char.isprintable() else " " for char in without_hash(text))


def _folded(note: str) -> list[str]:
    return textwrap.wrap(
        _comment(note),
        _WIDTH,
        initial_indent="# - ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def default_name(target: str) -> str:
    """Make a name for a file and a sandbox: `prod` for `admin@prod.example.org`."""
    host = target.rpartition("@")[2].partition(":")[0]
    name = host if re.fullmatch(r"[\d.]+", host) else host.partition(".")[0]
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "production"
