"""The part `services:` of a box: the servers that its machine runs."""

from typing import Annotated, Self

from pydantic import model_validator

from sandbox.spec.misfit import misfit
from sandbox.spec.plumber import Plumber
from sandbox.spec.rstudio import RstudioServer
from sandbox.spec.shiny_server import ShinyServer
from sandbox.spec.texts import Port
from sandbox.spec.values import NEWER, Model


class Nginx(Model):
    """nginx, Debian's package, in front of Shiny Server: it hands on every request."""

    port: Port = 80
    """The port that nginx listens on, inside the machine."""


class Services(Model):
    """The servers that the machine runs."""

    shiny_server: ShinyServer | None = None
    """Shiny Server; `{}` for its defaults, leave out for none."""
    nginx: Annotated[Nginx | None, NEWER] = None
    """nginx in front of Shiny Server; `{}` for its defaults, leave out for none."""
    plumber: Annotated[Plumber | None, NEWER] = None
    """APIs written in R; leave out for none."""
    rstudio_server: Annotated[RstudioServer | None, NEWER] = None
    """RStudio Server; leave out for none."""

    @model_validator(mode="after")
    def _nginx_has_a_server_behind_it(self) -> Self:
        behind_path = self.rstudio_server is not None and self.rstudio_server.path is not None
        if self.nginx is not None and self.shiny_server is None and not behind_path:
            cure = "Add `shiny_server: {}` beside it"
            if self.rstudio_server is not None:
                cure = "Add `path: /rstudio` to `rstudio_server`"
            raise misfit("nginx", "nginx has no server behind it to hand requests on to", cure)
        if self.nginx is None and behind_path:
            raise misfit(
                "rstudio_server",
                "a path needs nginx, which hands on from there",
                "Add `nginx: {}` beside it, or leave out `path`",
            )
        return self
