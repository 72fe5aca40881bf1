"""A box as a person would have written it, from the facts of a production server."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.capture import choices
from sandbox.capture.choices import Room
from sandbox.capture.places import choose_locale, choose_timezone
from sandbox.capture.r_options import choose_options
from sandbox.capture.unsaid import unsaid
from sandbox.capture.valid import fits
from sandbox.capture.variables import Variable, choose_variables
from sandbox.facts.facts import Facts
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.machine import MachineSize
from sandbox.facts.subjects.objects import UnresolvedObjects
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.packages import SystemPackages
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.shiny import SeenShinyServer
from sandbox.facts.subjects.user_libraries import UserLibraries
from sandbox.probe.untaken import is_untaken, without_hash
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases
from sandbox.spec.models import RepoName, RepoUrl
from sandbox.spec.semantics import SSH_PORT

_WIDTH = 100
_MOST_NAMED = 20
"""Of one kind, in comments that a person is to read."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*")
_YAML_WORDS = {"yes", "no", "true", "false", "on", "off", "null", "y", "n"}


@dataclass(frozen=True)
class CapturedBox:
    """The text of a box file, and what it could not say."""

    text: str
    base: Base
    notes: tuple[str, ...]


@dataclass
class _Draft:
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, line: str = "") -> None:
        self.lines.append(line)

    def block(self, heading: str, lines: list[str]) -> None:
        if lines:
            self.lines += [heading, *(_indented(line) for line in lines)]


def write_box(
    facts: Facts, *, source: str, facts_file: str, bases: Bases, room: Room
) -> CapturedBox:
    """The box.

    Args:
        facts: of the production server.
        source: how it was reached, for the first comment.
        facts_file: the name of the file that holds the facts, beside the box.
        bases: what boxes can start from.
        room: what the sandbox may take.
    """
    draft = _Draft()
    base, notes = choices.choose_base(facts, bases)
    draft.notes += notes
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
    size, short_of = choices.machine(facts, room)
    draft.notes += short_of
    if size:
        draft.add(f"machine: {{{', '.join(f'{key}: {value}' for key, value in size.items())}}}")
    draft.block("system:", _system(facts, base, draft))
    if facts[RInstallations]:
        r = _r(facts, base, draft)
        draft.add("r:" if r else "r: {}")
        draft.lines += [_indented(line) for line in r]
    elif facts.get(SeenShinyServer) is not None and "shiny_server" in base.offers:
        draft.add("r: {}")
        draft.notes.append("no R was seen there: the sandbox has the base's, for Shiny Server")
    draft.block("services:", _services(facts, base, draft))
    draft.add()
    draft.add(f"production: {_scalar(facts_file)}")
    draft.add("# Differences that are known to stay: what, and why")
    draft.add("# accept:")
    draft.add('#   - {fact: machine.memory, why: "a laptop has less"}')
    _further_notes(facts, draft)
    if draft.notes:
        draft.add()
        draft.add("# What this box cannot say, so that the sandbox will differ:")
        for note in draft.notes:
            draft.lines += _folded(note)
    return CapturedBox("\n".join(draft.lines) + "\n", base, tuple(map(without_hash, draft.notes)))


def _system(facts: Facts, base: Base, draft: _Draft) -> list[str]:
    lines = []
    view = choices.main_view(facts)
    zone, notes = choose_timezone(facts, view)
    draft.notes += notes
    if zone is not None:
        lines.append(f"timezone: {_scalar(zone)}")
    locale, notes = choose_locale(facts, view)
    draft.notes += notes
    if locale is not None:
        lines.append(f"locale: {_scalar(locale)}")
    packages, others_count = choices.system_packages(facts)
    if packages and base.name == f"{facts[Os].id}-{facts[Os].version}":
        lines.append(_list("packages", packages))
    elif packages:
        draft.notes.append(f"packages of {facts[Os].id}: {', '.join(packages)}")
    if others_count:
        draft.notes.append(f"{others_count} packages of the system that do nothing for R")
    variables = choose_variables(facts, view)
    draft.notes += _few(list(variables.notes))
    if variables.said or variables.secret:
        lines.append("environment:")
        lines += [_variable(one) for one in variables.said]
        lines += _asked_for({name: name for name in variables.secret})
    limit = choices.nofile(view) if view is not None else None
    if limit is not None:
        lines.append(f"limits: {{nofile: {limit}}}")
    return lines


def _r(facts: Facts, base: Base, draft: _Draft) -> list[str]:
    main, view = choices.main_r(facts), choices.main_view(facts)
    lines = []
    if main is not None and main.version == base.r_version:
        lines.append(f'version: "{choices.series(base.r_version)}"')
    others = [one for one in facts[RInstallations] if one is not main]
    if others:
        draft.notes.append(f"more Rs: {', '.join(f'{o.version} in {o.home}' for o in others)}")
    if view is None:
        draft.notes.append("R did not start there, so nothing of it is known")
        return lines
    asked, family = choices.blas(view)
    if asked == "openblas":
        lines.append("blas: openblas")
    elif asked is None:
        draft.notes.append(f"the linear algebra library is {family}")
    options = choose_options(facts, view)
    if options.said or options.secret:
        lines += ["options:", *(f"  {_scalar(name)}: {value}" for name, value in options.said)]
        lines += _asked_for(_secret_names(options.secret))
    draft.notes += _few([f"R option {one}" for one in options.unsaid])
    lines += _repos(view, draft)
    packages = choices.r_packages(view)
    if packages:
        # What this base's Debian does not have is left out, and said, when the sandbox is made
        lines += ["packages:", "  if_missing: skip", _indented(_list("names", packages))]
    return lines


def _repos(view: RView, draft: _Draft) -> list[str]:
    usual = ("@CRAN@", "cloud.r-project.org")
    repos, hidden = {}, []
    for name, url in view.repos.items():
        if any(one in url for one in usual):
            continue
        if not fits(RepoName, name) or not (is_untaken(url) or fits(RepoUrl, url)):
            draft.notes.append(f"the repository {name}: {without_hash(url)}")
        elif is_untaken(url):
            hidden.append(name)
        else:
            repos[name] = url
    if not repos and not hidden:
        return []
    asked_as = _secret_names([f"repo.{name}" for name in hidden])
    asked = {name: asked_as[f"repo.{name}"] for name in hidden}
    lines = ["repos:", *(f"  {_scalar(name)}: {_quoted(url)}" for name, url in repos.items())]
    return lines + _asked_for(asked)


def _variable(one: Variable) -> str:
    where = f"  # {_comment(one.where)}" if one.where else ""
    return f"  {_scalar(one.name)}: {_quoted(one.value)}{where}"


def _asked_for(secrets: Mapping[str, str]) -> list[str]:
    """Lines for what was not taken: `sandbox up` asks for it, or reads it from the environment."""
    if not secrets:
        return []
    heading = "  # Not taken from the server: `sandbox up` asks for the sandbox's own value of each"
    return [heading, *(f"  {_scalar(key)}: {{secret: {name}}}" for key, name in secrets.items())]


def _secret_names(names: Sequence[str]) -> dict[str, str]:
    """`SALES_API_TOKEN` for sales.api_token: a variable's name, another one for each."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()
        first = plain if re.match("[A-Z]", plain) else f"OPTION_{plain}".rstrip("_")
        number = sum(1 for one in found.values() if re.sub(r"__\d+$", "", one) == first)
        found[name] = f"{first}__{number + 1}" if number else first
    return found


def _services(facts: Facts, base: Base, draft: _Draft) -> list[str]:
    lines = []
    shiny = facts.get(SeenShinyServer)
    if shiny is not None:
        if "shiny_server" in base.offers:
            port = shiny.listens[0].port if shiny.listens else 3838
            if port == SSH_PORT or port not in range(1, 65536):
                draft.notes.append(f"Shiny Server listens on port {port}, which no sandbox can")
                port = 3838
            lines.append(f"shiny_server: {{port: {port}}}")
            places = ", ".join((*shiny.site_dirs, *shiny.app_dirs))
            draft.notes.append(
                f"the apps of Shiny Server ({places}): copy them, and name them in `apps:`"
            )
        else:
            draft.notes.append(f"Shiny Server {shiny.version or ''}: {base.name} has none".strip())
    for one in facts.get(SystemPackages) or ():
        if one.name.startswith("rstudio-"):
            draft.notes.append(f"{one.name} {one.version}")
    return lines


def _further_notes(facts: Facts, draft: _Draft) -> None:
    draft.notes += unsaid(facts)
    view = choices.main_view(facts)
    if view is not None:
        own = list(choices.by_hand(facts, view))
        if own:
            draft.notes.append(f"R packages not from Debian, in these versions: {_some(own, '; ')}")
        draft.notes += _few([f"two versions of {one}" for one in choices.shadowed(view)])
    own_packages = [
        f"{one.name} {one.version} ({one.user})" for one in facts.get(UserLibraries) or ()
    ]
    if own_packages:
        draft.notes.append(f"people's own libraries: {_some(own_packages)}")
    draft.notes += _few(
        [
            f"broken there: {one.path} misses {', '.join(one.missing)}"
            for one in facts.get(UnresolvedObjects) or ()
        ]
    )
    if "noexec" in (facts[MachineSize].tmp_mount_options or ()):
        draft.notes.append("nothing in the temporary folder can be run there (noexec)")
    draft.notes += [
        f"{config.path} was changed by hand: see the facts"
        for config in facts.get(Configs) or ()
        if config.path.endswith("Rprofile.site") and _is_changed(config.settings)
    ]


def _is_changed(settings: dict[str, str]) -> bool:
    """Debian's own sets the repository, and ours the options that a box can say."""
    lines = [line.strip() for text in settings.values() for line in text.splitlines()]
    if any("sandbox_set <- function" in text for text in settings.values()):
        settings = {k: text for k, text in settings.items() if "sandbox_set" not in text}
        lines = [line.strip() for text in settings.values() for line in text.splitlines()]
    usual = re.compile(
        r'local\(\{|r <- getOption\("repos"\)|r\["CRAN"\] <- "https://cloud\.r-project\.org"'
        r"|options\(repos ?= ?r\)|\}\)|options\(|\)|\"?[A-Za-z.]+\"? = [^(<]*,?"
        r"|options\((\"?[A-Za-z.]+\"? = [^(<]*)*\)"
    )
    return any(not usual.fullmatch(line) for line in lines)


def _some(items: Sequence[str], between: str = ", ") -> str:
    """All of them, or the first and how many more: the facts have every one."""
    more = len(items) - _MOST_NAMED
    shown = between.join(items[:_MOST_NAMED])
    return f"{shown}{between}and {more} more" if more > 0 else shown


def _few(notes: list[str]) -> list[str]:
    more = len(notes) - _MOST_NAMED
    return [*notes[:_MOST_NAMED], f"and {more} more like this"] if more > 0 else notes


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
    return "".join(char if char.isprintable() else " " for char in text)


def _folded(note: str) -> list[str]:
    import textwrap

    return textwrap.wrap(
        _comment(without_hash(note)),
        _WIDTH,
        initial_indent="# - ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def default_name(target: str) -> str:
    """`prod` for `admin@prod.example.org`: what a file and a sandbox can be called."""
    host = target.rpartition("@")[2].partition(":")[0]
    name = host if re.fullmatch(r"[\d.]+", host) else host.partition(".")[0]
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "production"
