"""The templates and the few files of both pages; all values are escaped by the environment."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.paths import data_dir
from sandbox.workshop.slips import page_environment

_FOLDER: Final = "workshop/page"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css"}
_CACHED: Final = "private, max-age=86400, immutable"
_LONG: Final = 12


@dataclass(frozen=True)
class PageFile:
    """A file that a page loads."""

    content: bytes
    media_type: str
    url: str
    """It changes with the content, so that browsers may keep it."""


def page_file(name: str) -> PageFile:
    """Read one of the pages' own files: `page.css`, `htmx/htmx.min.js`."""
    return _files((name,))[name]


@cache
def _files(names: tuple[str, ...]) -> dict[str, PageFile]:
    found = {}
    for name in names:
        path = Path(data_dir("templates"), _FOLDER, name)
        content = path.read_bytes()
        mark = hashlib.sha256(content).hexdigest()[:_LONG]
        url = f"/static/{path.stem}.{mark}{path.suffix}"
        found[name] = PageFile(content, _TYPES[path.suffix], url)
    return found


def file_routes(names: Iterable[str]) -> list[Route]:
    """Make the routes of these files; nothing else of the folder can be asked for."""

    def route(file: PageFile) -> Route:
        async def answer(_: Request) -> Response:
            headers = {"Cache-Control": _CACHED}
            return Response(file.content, media_type=file.media_type, headers=headers)

        return Route(file.url, answer)

    return [route(page_file(name)) for name in names]


def text_of(template: str, **values: object) -> str:
    """Fill a template of the pages."""
    made = page_environment().get_template(f"{_FOLDER}/{template}")
    return made.render(file=page_file, **values)


def prepare() -> None:
    """Compile all templates before somebody waits for the first page."""
    environment = page_environment()
    for name in environment.list_templates(filter_func=lambda one: one.startswith(_FOLDER)):
        if name.endswith(".j2"):
            environment.get_template(name)


def html(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Answer with a template of the pages."""
    return HTMLResponse(text_of(template, **values), status)


def words(text: str, status: int) -> PlainTextResponse:
    """Answer with a line of text."""
    return PlainTextResponse(f"{text}\n", status)
