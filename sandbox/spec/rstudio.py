"""The part `services.rstudio_server` of a box: RStudio Server, open source edition."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from sandbox.spec.misfit import misfit
from sandbox.spec.rstudio_version import RstudioVersion, parse_rstudio
from sandbox.spec.texts import (
    FrontPath,
    Port,
    RstudioVersionText,
    RVersion,
    SettingName,
    SettingText,
    UserName,
)
from sandbox.spec.values import Model

Setting = bool | int | float | SettingText
Settings = dict[SettingName, Setting]
ManySettings = dict[SettingName, Setting | Annotated[tuple[Setting, ...], Field(max_length=100)]]


def written(value: Setting) -> str:
    """Write a value as RStudio's files have it: `true` is 1."""
    return str(int(value)) if isinstance(value, bool) else str(value)


class RstudioConfig(Model):
    """The files in /etc/rstudio, key by key; only keys that this version knows."""

    rserver: ManySettings = {}
    """rserver.conf. An unknown key there, or one said twice, is a server that does not start."""
    rsession: Settings = {}
    """rsession.conf. With an unknown key there, people sign in and get no session."""
    logging: Settings = {}
    """logging.conf, its part for all programs: log-level, logger-type, log-dir."""
    repos: dict[SettingName, SettingText] = {}
    """repos.conf: names and URLs of repositories for packages."""
    prefs: Settings = {}
    """rstudio-prefs.json: what everybody's RStudio begins with, and each can change."""
    database: Settings = {}
    """database.conf: where the server keeps who is signed in."""


class RstudioServer(Model):
    """RStudio Server, open source edition, as its makers build it."""

    version: RstudioVersionText
    """The whole version with its build, in quotes: "2024.12.0+467"."""
    port: Port = 8787
    """The port that RStudio Server listens on, inside the machine."""
    r: RVersion | None = None
    """The R of its sessions, one of the box's; leave it out for the box's default. The open source
    edition has one for everybody."""
    config: RstudioConfig = RstudioConfig()
    """Settings of RStudio Server and its sessions."""
    accept_keys: tuple[SettingName, ...] = ()
    """Keys of `config` that are to be written although they are not known to us."""
    users: tuple[UserName, ...] | None = None
    """Who of the box's users may sign in with a password; leave it out for all of them."""
    passwords: bool = True
    """Give each of them a password, made at random for each machine and shown once at the end of
    `sandbox up`; false: nobody has one, and nobody can sign in until somebody sets one."""
    path: FrontPath | None = None
    """A path such as /rstudio at which nginx hands on to it; then it listens on 127.0.0.1 only."""

    @property
    def parsed_version(self) -> RstudioVersion:
        """The version, to compare it."""
        return parse_rstudio(self.version)

    @model_validator(mode="after")
    def _path_is_said_once(self) -> Self:
        if self.path is not None and "www-root-path" in self.config.rserver:
            raise misfit(
                "path", "`config.rserver` says `www-root-path` too", "Leave one of them out"
            )
        return self
