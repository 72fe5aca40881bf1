"""Reading a Shiny app's page as its own JavaScript would: which inputs it has, and which outputs.

A server function counts on the values of its inputs; without them its outputs fail for a reason
that is not the app's fault. Only Shiny's own inputs are known here.
"""

import datetime
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus

from sandbox.checks.web import WebAnswer

InputValue = str | bool | int | float | None | list[str]

_OUTPUT_CLASS = re.compile(
    r"^(shiny-(text|plot|image|html|datatable|table)-output|html-widget-output|html-fill-output)$"
)
_SHINY_SCRIPT = re.compile(r"""<script[^>]+src=["'][^"']*\bshiny(\.min)?\.js""")
_PANDOC = re.compile(r"""<meta\s+name=["']generator["']\s+content=["']pandoc["']""", re.IGNORECASE)


@dataclass(frozen=True)
class ShinyPage:
    """What the session needs to know of an app's page."""

    inputs: dict[str, InputValue]
    """By the name that goes over the wire: `bins:shiny.number`."""
    outputs: tuple[str, ...]
    dynamic: bool
    """It has a place for UI that the server makes: inputs may follow that are not on the page."""


def is_shiny(html: str) -> bool:
    """Tell whether the page starts a Shiny session."""
    return _SHINY_SCRIPT.search(html) is not None


def is_document(html: str) -> bool:
    """Tell whether the page is a rendered R Markdown document."""
    return _PANDOC.search(html) is not None


def title_of(html: str) -> str:
    """Return the page's title, shortened; empty when it has none."""
    found = re.search(r"<title>(.*?)</title>", html, re.DOTALL | re.IGNORECASE)
    return " ".join(found.group(1).split())[:60] if found else ""


def is_app_page(page: WebAnswer) -> bool:
    """Whether this is an app's own page: not an error page, an index of a folder, or a greeting."""
    html = page.content_type.startswith("text/html")
    return page.status == HTTPStatus.OK and html and (is_shiny(page.body) or is_document(page.body))


def describe(page: WebAnswer) -> str:
    """An answer in a few words."""
    title = title_of(page.body)
    return f"HTTP {page.status}, {f'“{title}”' if title else page.content_type or 'no content'}"


def read_page(html: str) -> ShinyPage:
    """Find the inputs, with the values they start with, and the outputs."""
    reader = _PageReader()
    reader.feed(html)
    reader.close()
    return ShinyPage(reader.inputs, tuple(dict.fromkeys(reader.outputs)), reader.dynamic)


Attributes = dict[str, str]


class _PageReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inputs: dict[str, InputValue] = {}
        self.outputs: list[str] = []
        self.dynamic = False
        self._select: tuple[str, bool] | None = None
        self._textarea: str | None = None
        self._date: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        classes = found.get("class", "").split()
        element_id = found.get("id", "")
        if element_id and any(_OUTPUT_CLASS.match(name) for name in classes):
            self.outputs.append(element_id)
            self.dynamic = self.dynamic or "shiny-html-output" in classes
        elif element_id and "action-button" in classes:
            self.inputs[f"{element_id}:shiny.action"] = 0
        elif element_id and "shiny-date-input" in classes:
            self._date = element_id
        elif element_id and "shiny-input-checkboxgroup" in classes:
            self.inputs[element_id] = []
        elif tag == "input":
            self._input(found, classes)
        elif tag == "select" and element_id:
            self._select = (element_id, "multiple" in found)
            self.inputs[element_id] = [] if "multiple" in found else None
        elif tag == "option" and self._select is not None:
            self._option(found)
        elif tag == "textarea" and element_id:
            self._textarea = element_id
            self.inputs[element_id] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self.inputs[self._textarea] = f"{self.inputs[self._textarea]}{data}"

    def _option(self, found: Attributes) -> None:
        assert self._select is not None  # noqa: S101  (for mypy: asked before the call)
        element_id, multiple = self._select
        value = found.get("value", "")
        chosen = self.inputs[element_id]
        if multiple and isinstance(chosen, list):
            if "selected" in found:
                chosen.append(value)
        elif chosen is None or "selected" in found:
            self.inputs[element_id] = value

    def _input(self, found: Attributes, classes: list[str]) -> None:
        element_id, name, kind = found.get("id", ""), found.get("name", ""), found.get("type", "")
        value = found.get("value", "")
        if "js-range-slider" in classes:
            self._slider(element_id, found)
        elif self._date is not None and kind == "text":
            today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
            self.inputs[f"{self._date}:shiny.date"] = found.get("data-initial-date") or today
            self._date = None
        elif kind == "checkbox" and isinstance(group := self.inputs.get(name), list):
            if "checked" in found:
                group.append(value)
        elif kind == "radio" and name:
            if "checked" in found:
                self.inputs[name] = value
        elif not element_id or kind in {"file", "submit", "hidden", "button"}:
            pass
        elif kind == "checkbox":
            self.inputs[element_id] = "checked" in found
        elif kind == "number":
            self.inputs[f"{element_id}:shiny.number"] = _number(value)
        else:
            self.inputs[element_id] = value

    def _slider(self, element_id: str, found: Attributes) -> None:
        low, high = _number(found.get("data-from", "")), _number(found.get("data-to", ""))
        kind = found.get("data-data-type", "number")
        if not element_id or kind != "number":
            return
        if high is None:
            self.inputs[f"{element_id}:shiny.number"] = low
        else:
            self.inputs[element_id] = [f"{low:g}", f"{high:g}"] if low is not None else None


def _number(text: str) -> int | float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else value
