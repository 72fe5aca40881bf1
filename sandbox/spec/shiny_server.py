"""Shiny Server in a box: a key for each directive that its open-source edition has.

Where each directive may stand, and since which version, is in sandbox.spec.shiny_directives.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from sandbox.spec.misfit import misfit
from sandbox.spec.shiny_directives import DIRECTIVES, Place, Setting, words_of
from sandbox.spec.texts import (
    AccessLog,
    FrameOptions,
    HostName,
    HttpUrl,
    MachinePath,
    OctalMode,
    PlainName,
    Port,
    ShinyAccount,
    UrlPath,
    UserName,
    WordText,
)
from sandbox.spec.values import NEWER, Model

Seconds = Annotated[int, Field(ge=0, le=10_000_000)]
_SomeSeconds = Annotated[float, Field(gt=0, le=10_000_000)]
_Protocol = Literal[
    "websocket",
    "xdr-streaming",
    "xhr-streaming",
    "eventsource",
    "iframe-eventsource",
    "htmlfile",
    "iframe-htmlfile",
    "xdr-polling",
    "xhr-polling",
    "iframe-xhr-polling",
    "jsonp-polling",
    "streaming",
    "polling",
]
ListenHost = Literal["*", "0.0.0.0", "::", "127.0.0.1"]  # noqa: S104  (what a box may ask for)
"""The addresses that every machine has."""
HOSTING: Final = ("app", "app_dir", "site_dir", "user_dirs", "redirect")


class ShinySettings(Model):
    """What can be set for all of Shiny Server, for one server of it, and for one location."""

    run_as: Annotated[ShinyAccount | None, NEWER] = None
    """The account that apps run as, in place of shiny; `:HOME_USER:` for the owner of `user_dirs`,
    and then another account for all else. One that `users` does not name is made; nobody can log
    in as it."""
    app_init_timeout: Annotated[Seconds | None, NEWER] = None
    """How long an app's R may take to start, in seconds."""
    app_idle_timeout: Annotated[Seconds | None, NEWER] = None
    """How long an app's R stays when its last visitor has gone, in seconds; 0 for ever."""
    simple_scheduler: Annotated[Annotated[int, Field(ge=1, le=1_000_000)] | None, NEWER] = None
    """How many connections an app may have, before others get a 503."""
    sanitize_errors: Annotated[bool | None, NEWER] = None
    """Whether visitors see only that there was an error."""
    reconnect: Annotated[bool | None, NEWER] = None
    """Whether a session whose connection was cut off is kept for 15 seconds."""
    disable_websockets: Annotated[bool | None, NEWER] = None
    """Whether sessions must do without websockets."""
    disable_protocols: Annotated[tuple[_Protocol, ...] | None, NEWER] = None
    """The protocols of SockJS that sessions must do without."""
    directory_index: Annotated[bool | None, NEWER] = None
    """Whether a folder without a page of its own is listed."""
    log_dir: Annotated[MachinePath | None, NEWER] = None
    """Where the apps' logs go; those of the box's `apps` stay in /var/log/shiny-server."""
    log_file_mode: Annotated[OctalMode | None, NEWER] = None
    """Who may read the apps' logs: "0640"."""
    log_as_user: Annotated[bool | None, NEWER] = None
    """Whether the account that an app runs as writes its log, and not root."""
    bookmark_state_dir: Annotated[MachinePath | None, NEWER] = None
    """Where bookmarked states of apps are kept."""
    template_dir: Annotated[MachinePath | None, NEWER] = None
    """A folder of the machine with other pages for errors and listings."""
    members_of: Annotated[tuple[UserName, ...] | None, NEWER] = None
    """The groups whose members may have apps in `user_dirs`."""
    frame_options: Annotated[FrameOptions | None, NEWER] = None
    """Who may show apps in a frame: allow, deny, sameorigin, or `allow-from URL`."""
    google_analytics_id: Annotated[WordText | None, NEWER] = None
    """The tag that pages of apps report to."""
    python: Annotated[MachinePath | None, NEWER] = None
    """The Python, or the virtual environment, of Shiny for Python's apps."""

    def said(self, place: Place) -> Mapping[str, tuple[str, ...]]:
        """Return the directives that this block says, with their words, in order."""
        found = {}
        for name, directive in DIRECTIVES.items():
            value: Setting | None = getattr(self, name, None)
            if place in directive.places and value is not None:
                found[name] = words_of(directive, value)
        return found


class ShinyLocation(ShinySettings):
    """A place in the URLs of a server, and what stands there."""

    path: UrlPath
    """The place: /sales."""
    app: Annotated[PlainName | None, NEWER] = None
    """An app of the box's `apps`."""
    app_dir: Annotated[MachinePath | None, NEWER] = None
    """The folder of one app, on the machine."""
    site_dir: Annotated[MachinePath | None, NEWER] = None
    """A folder of apps and pages, on the machine."""
    user_dirs: Annotated[Literal[True] | None, NEWER] = None
    """The apps in the users' own folders, ~/ShinyApps."""
    redirect: Annotated[HttpUrl | None, NEWER] = None
    """Another URL that visitors are sent to."""

    @model_validator(mode="after")
    def _hosts_one_thing(self) -> Self:
        said = [name for name in HOSTING if getattr(self, name) is not None]
        if not said:
            cure = "Say one of `app`, `app_dir`, `site_dir`, `user_dirs`, `redirect`"
            raise misfit("path", "nothing stands at this location", cure)
        if len(said) > 1:
            message = f"`{said[0]}` stands at this location already"
            raise misfit(said[1], message, "Shiny Server takes one of them for each location")
        if self.log_dir is not None and (self.redirect or self.user_dirs):
            cure = "Leave out `log_dir`"
            raise misfit("log_dir", f"Shiny Server takes no log folder beside `{said[0]}`", cure)
        return self

    @property
    def served(self) -> str:
        """What stands there, without the place itself: `app_dir`."""
        return next(name for name in HOSTING if getattr(self, name) is not None)


class ShinySite(ShinySettings):
    """A further server: its own port, and its own locations."""

    port: Port
    """The port that it listens on, inside the machine."""
    host: Annotated[ListenHost | None, NEWER] = None
    """The address that it listens on; leave out for all."""
    server_name: Annotated[tuple[HostName, ...] | None, NEWER] = None
    """The names of hosts that it answers for; leave out for all."""
    locations: tuple[ShinyLocation, ...]
    """What stands where."""


class ShinyServer(ShinySettings):
    """Shiny Server, Debian's package."""

    port: Port = 3838
    """The port that Shiny Server listens on, inside the machine."""
    host: Annotated[ListenHost | None, NEWER] = None
    """The address that it listens on, such as 127.0.0.1; leave out for all."""
    preserve_logs: Annotated[bool | None, NEWER] = None
    """Whether the log of an app's R stays when that R has ended well."""
    access_log: Annotated[AccessLog | None, NEWER] = None
    """A file that gets a line for each request, perhaps with the form of its lines: FILE tiny."""
    http_keepalive_timeout: Annotated[_SomeSeconds | None, NEWER] = None
    """How long a connection stays open between two requests, in seconds."""
    http_allow_compression: Annotated[bool | None, NEWER] = None
    """Whether answers may be compressed."""
    sockjs_heartbeat_delay: Annotated[_SomeSeconds | None, NEWER] = None
    """How often a session says that it is there, in seconds."""
    sockjs_disconnect_delay: Annotated[_SomeSeconds | None, NEWER] = None
    """After how many seconds without a request a visitor without websocket has gone."""
    allow_app_override: Annotated[bool | None, NEWER] = None
    """Whether an app may have settings of its own, in a file .shiny_app.conf."""
    locations: Annotated[tuple[ShinyLocation, ...] | None, NEWER] = None
    """Further places at this port; the apps of the box are at /NAME/."""
    servers: Annotated[tuple[ShinySite, ...] | None, NEWER] = None
    """Further servers, each with its own port."""

    @property
    def sites(self) -> "tuple[ShinyServer | ShinySite, ...]":
        """All servers: first the one with the box's apps."""
        return (self, *(self.servers or ()))
