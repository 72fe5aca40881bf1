"""Plumber in a box: APIs written in R, each under a systemd unit of its own."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from sandbox.app_files import MAX_MB
from sandbox.spec.misfit import misfit
from sandbox.spec.texts import EnvName, FileName, PlainName, Port, Text, UrlPath, UserName
from sandbox.spec.values import NEWER, Model

DOCS: Final = "/__docs__/"
"""Where an API shows its documentation."""
ONE: Final = "api"
"""The name of an API that stands alone."""
ApiHost = Literal["0.0.0.0", "127.0.0.1"]  # noqa: S104  (what a box may ask for)


Place = tuple[str | int, ...]


class PlumberSettings(Model):
    """How one API runs."""

    file: FileName = "plumber.R"
    """The file with the API, below `path`."""
    port: Port = 8000
    """The port that it listens on, inside the machine."""
    host: Annotated[ApiHost | None, NEWER] = None
    """127.0.0.1: it answers inside the machine only; leave out for all addresses."""
    ready_path: UrlPath = DOCS
    """The path that answers 200 when it is ready."""
    docs: bool = True
    """Whether it shows its documentation at /__docs__/."""
    user: UserName = "plumber"
    """The account that it runs as. One that `users` does not name is made; nobody can log in as
    it."""
    environment: dict[EnvName, Text] = {}
    """Variables of this API alone. What all of R is to see, and secrets, go to
    `system.environment`."""
    include: tuple[FileName, ...] = ()
    """Files that would be left out, by name: .Renviron. See docs/boxes.md."""
    max_mb: Annotated[int, Field(ge=1, le=1_000_000)] = MAX_MB
    """How many MB the folder may hold; a larger one is refused."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.docs and self.ready_path.rstrip("/") == DOCS.rstrip("/"):
            cure = "Say `ready_path`, such as /health, or leave out `docs: false`"
            raise misfit("docs", f"without documentation {DOCS} never answers", cure)
        if self.user == "root":
            cure = "Name an account of its own, such as plumber"
            raise misfit("user", "an API cannot run as root", cure)
        return self


class PlumberApi(PlumberSettings):
    """One of several APIs."""

    name: PlainName
    """The name that commands and its unit have: plumber-NAME."""
    path: FileName
    """The folder, relative to the box file and inside the box's root."""


class Plumber(PlumberSettings):
    """APIs of the R package plumber: one, or several as `apis`. The default R runs them."""

    path: FileName | None = None
    """The folder of the only API, relative to the box file and inside the box's root."""
    apis: tuple[PlumberApi, ...] = ()
    """Several APIs, each with a name and a port."""

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.path is None and not self.apis:
            raise misfit("path", "there is no API", "Say `path` of its folder, or list `apis`")
        if self.path is not None and self.apis:
            cure = "Put it into `apis`, with a name"
            raise misfit("path", "one API stands here, and several under `apis`", cure)
        return self

    @property
    def all(self) -> tuple[PlumberApi, ...]:
        """All APIs; one that stands alone is called `api`."""
        if self.path is None:
            return self.apis
        said = {key: getattr(self, key) for key in PlumberSettings.model_fields}
        return (PlumberApi(name=ONE, path=self.path, **said),)

    @property
    def placed(self) -> "tuple[tuple[Place, PlumberApi], ...]":
        """All APIs, each with its place in the box."""
        top: Place = ("services", "plumber")
        return tuple(
            (top if self.path is not None else (*top, "apis", index), api)
            for index, api in enumerate(self.all)
        )


def unit_of(api: str) -> str:
    """Name the systemd unit of an API."""
    return f"plumber-{api}"
