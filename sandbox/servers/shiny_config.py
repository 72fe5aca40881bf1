"""Shiny Server's configuration as the box asks for it: for its role, and for comparisons."""

from collections.abc import Iterator
from typing import Final

from sandbox.quoting import Json
from sandbox.spec.shiny_directives import Place
from sandbox.spec.shiny_server import ShinyLocation, ShinyServer, ShinySettings, ShinySite

SITE_DIR: Final = "/srv/shiny-server"
"""Where the role `apps` puts the apps of a box."""
LOG_DIR: Final = "/var/log/shiny-server"
"""Where apps log when the box does not say."""
_Words = tuple[str, ...]


def shiny_role_variables(shiny: ShinyServer) -> dict[str, Json]:
    """Return what the box sets, for the role, which has defaults for all else."""
    found: dict[str, Json] = {
        "shiny_server_host": shiny.host,
        "shiny_server_settings": _lines(shiny, "top"),
        "shiny_server_locations": [_location(one, (shiny,)) for one in shiny.locations or ()],
        "shiny_server_servers": [_site(one, shiny) for one in shiny.servers or ()],
        "shiny_server_accounts": [*accounts_of(shiny)],
        "shiny_server_folders": [*_folders(shiny)],
    }
    return {name: value for name, value in found.items() if value}


def accounts_of(shiny: ShinyServer) -> tuple[str, ...]:
    """List the accounts that apps run as, but for the package's own."""
    found = (
        name
        for block in _blocks(shiny)
        for name in (block.run_as or "").split()
        if not name.startswith(":") and name != "shiny"
    )
    return tuple(dict.fromkeys(found))


def shiny_statements(shiny: ShinyServer) -> dict[str, str]:
    """Return what the box itself says of the configuration: blocks and name to words.

    The names of the blocks are those of `sandbox.facts.subjects.shiny`: `server #2 > listen`.
    """
    found: dict[str, str] = {}
    for name, words in shiny.said("top").items():
        found[name] = " ".join(words)
    for number, site in enumerate(shiny.sites, 1):
        block = "server" if number == 1 else f"server #{number}"
        if site.host is not None or number > 1:
            found[f"{block} > listen"] = " ".join(_listen(site))
        if isinstance(site, ShinySite):
            for name, words in site.said("server").items():
                found[f"{block} > {name}"] = " ".join(words)
        for location in site.locations or ():
            for name, words in _said_at(location).items():
                found[f"{block} > location {location.path} > {name}"] = " ".join(words)
    return found


def _listen(site: ShinyServer | ShinySite) -> _Words:
    return (str(site.port), *((site.host,) if site.host is not None else ()))


def _blocks(shiny: ShinyServer) -> Iterator[ShinySettings]:
    for site in shiny.sites:
        yield site
        yield from site.locations or ()


def _folders(shiny: ShinyServer) -> Iterator[str]:
    """The folders that Shiny Server writes to, and does not make itself."""
    logs = [(shiny.access_log or "").split(" ")[0].rpartition("/")[0]]
    written = (
        folder for block in _blocks(shiny) for folder in (block.log_dir, block.bookmark_state_dir)
    )
    yield from dict.fromkeys(folder for folder in (*logs, *written) if folder)


def _lines(block: ShinySettings, place: Place) -> list[Json]:
    return [[name, *words] for name, words in block.said(place).items()]


def _said_at(location: ShinyLocation) -> dict[str, _Words]:
    app = {"app_dir": (f"{SITE_DIR}/{location.app}",)} if location.app is not None else {}
    return {**app, **location.said("location")}


def _location(location: ShinyLocation, around: tuple[ShinySettings, ...]) -> Json:
    lines: list[Json] = [[name, *words] for name, words in _said_at(location).items()]
    runs_apps = location.served in {"app", "app_dir", "site_dir"}
    if runs_apps and all(one.log_dir is None for one in (location, *around)):
        # Shiny Server ends at a place of apps that has none
        lines.append(["log_dir", LOG_DIR])
    return {"path": location.path, "settings": lines}


def _site(site: ShinySite, shiny: ShinyServer) -> Json:
    return {
        "listen": [*_listen(site)],
        "settings": _lines(site, "server"),
        "locations": [_location(one, (site, shiny)) for one in site.locations],
    }
