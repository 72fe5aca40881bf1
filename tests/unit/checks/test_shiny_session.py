"""The SockJS client against scripted answers, taken down from a real Shiny Server 1.5.20."""

import json
from typing import Any

import pytest

from sandbox.checks import shiny_session
from sandbox.checks.shiny_page import ShinyPage, is_document, is_shiny, read_page, title_of
from sandbox.checks.shiny_session import SessionOutcome, try_session
from sandbox.checks.web import NoAnswer, WebAnswer
from tests.unit.checks.samples import SHINY_HTML

CONFIG: dict[str, Any] = {"config": {"workerId": "", "sessionId": "736b", "user": None}}
BUSY: list[dict[str, Any]] = [
    {"busy": "busy"},
    {"recalculating": {"name": "plot", "status": "recalculating"}},
    {"busy": "idle"},
]
PLOT = {"errors": {}, "values": {"plot": {"src": "data:image/png;base64,iVBO"}}}
HIDDEN = "An error has occurred. Check your logs or contact the app author for clarification."


def failed(message: str, kind: list[str] | None = None) -> dict[str, Any]:
    return {"errors": {"plot": {"message": message, "call": "NULL", "type": kind}}, "values": {}}


def frame(*messages: dict[str, Any]) -> str:
    return "a" + json.dumps(["0|m|" + json.dumps(message) for message in messages])


class Server:
    """Answers each poll with the next frame."""

    def __init__(self, *frames: str) -> None:
        self.frames = ["o", *frames]
        self.sent: list[str] = []

    def fetch(self, url: str, *, timeout_s: float, data: bytes | None = None) -> WebAnswer:
        assert url.startswith("http://machine/app/__sockjs__/")
        if url.endswith("/xhr_send"):
            self.sent += json.loads(data or b"[]")
            return WebAnswer(url, 204, "", "", 0.0)
        if not self.frames:
            raise NoAnswer("no answer in time")
        return WebAnswer(url, 200, "", self.frames.pop(0) + "\n", 0.0)


def session(
    monkeypatch: pytest.MonkeyPatch, server: Server, html: str = SHINY_HTML
) -> SessionOutcome:
    monkeypatch.setattr(shiny_session, "fetch", server.fetch)
    return try_session("http://machine/app/", read_page(html), timeout_s=5)


def test_an_output_with_a_value_is_a_working_app(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(frame(CONFIG), *(frame(one) for one in BUSY), "h", frame(PLOT))
    outcome = session(monkeypatch, server)
    assert (outcome.ok, outcome.summary) == (True, "computed plot")
    opened, init, closed = server.sent
    assert (opened, closed) == ("0|o|", "0|c|{}")
    first = json.loads(init.removeprefix("0|m|"))
    assert first["method"] == "init"
    assert first["data"]["bins:shiny.number"] == 30
    assert first["data"][".clientdata_output_plot_hidden"] is False
    assert first["data"][".clientdata_output_plot_width"] > 0
    assert first["data"][".clientdata_url_pathname"] == "/app/"


def test_a_server_function_that_stops_is_a_broken_app(monkeypatch: pytest.MonkeyPatch) -> None:
    alert = {"custom": {"alert": "The application unexpectedly exited.\r\n\r\nDiagnostic …"}}
    outcome = session(monkeypatch, Server(frame(CONFIG), frame(alert)))
    assert (outcome.ok, outcome.summary) == (False, "The application unexpectedly exited.")


def test_the_servers_own_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = 'a["0|c|{\\"code\\":4503,\\"reason\\":\\"The application unexpectedly exited\\"}"]'
    outcome = session(monkeypatch, Server(frame(CONFIG), gone))
    assert (outcome.ok, outcome.summary) == (False, "The application unexpectedly exited")


def test_an_app_that_does_not_start_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = session(monkeypatch, Server('a["0|c|{}"]'))
    assert not outcome.ok
    assert "does not start" in outcome.summary


def test_an_output_that_fails_is_a_broken_app(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = session(monkeypatch, Server(frame(CONFIG), frame(failed(HIDDEN))))
    assert not outcome.ok
    assert outcome.summary.startswith("the output plot fails: An error has occurred")


def test_one_failing_output_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = {"errors": failed(HIDDEN)["errors"], "values": {"rows": "272"}}
    assert not session(monkeypatch, Server(frame(CONFIG), frame(mixed))).ok
    # Where the server makes inputs that we cannot know, one that works will do
    dynamic = SHINY_HTML.replace("</body>", '<div id="ui" class="shiny-html-output"></div></body>')
    assert session(monkeypatch, Server(frame(CONFIG), frame(mixed)), dynamic).ok


def test_outputs_that_wait_for_the_user_are_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = failed("", ["shiny.silent.error"])
    outcome = session(monkeypatch, Server(frame(CONFIG), frame(waiting)))
    assert (outcome.ok, outcome.values) == (True, ())
    assert "wait for the user" in outcome.summary


def test_a_page_without_outputs_needs_a_session_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert session(monkeypatch, Server(frame(CONFIG)), "<html></html>").ok


@pytest.mark.parametrize("frames", [(), (frame(CONFIG),), (frame(CONFIG), frame(*BUSY))])
def test_silence_is_not_success(monkeypatch: pytest.MonkeyPatch, frames: tuple[str, ...]) -> None:
    assert not session(monkeypatch, Server(*frames)).ok


def test_a_closed_connection_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = session(monkeypatch, Server('c[3000,"Go away!"]'))
    assert outcome.summary == 'the server closed the connection: [3000,"Go away!"]'


def test_what_does_not_open_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.frames = ["<html>404</html>"]
    assert "does not open" in session(monkeypatch, server).summary


def test_all_of_shinys_inputs_start_as_a_browser_would_send_them() -> None:
    html = """
    <input class="js-range-slider" id="range" data-from="2" data-to="4.5" data-data-type="number"/>
    <input id="n" type="number" value="3"/><input id="empty" type="number" value=""/>
    <input id="name" type="text" value="Anna"/><textarea id="note">two
words</textarea>
    <input id="on" type="checkbox" checked="checked"/><input id="off" type="checkbox"/>
    <div id="many" class="form-group shiny-input-checkboxgroup"><input type="checkbox" name="many"
      value="a" checked="checked"/><input type="checkbox" name="many" value="b"/></div>
    <div id="one" class="shiny-input-radiogroup"><input type="radio" name="one" value="x"/>
      <input type="radio" name="one" value="y" checked="checked"/></div>
    <select id="pick"><option value="p">p</option><option value="q" selected>q</option></select>
    <select id="first"><option value="p">p</option><option value="q">q</option></select>
    <select id="some" multiple="multiple"><option value="p" selected>p</option></select>
    <div id="day" class="shiny-date-input"><input type="text" data-initial-date="2024-02-29"/></div>
    <button id="go" class="btn action-button">go</button><input id="up" type="file"/>
    """
    assert read_page(html).inputs == {
        "range": ["2", "4.5"],
        "n:shiny.number": 3,
        "empty:shiny.number": None,
        "name": "Anna",
        "note": "two\nwords",
        "on": True,
        "off": False,
        "many": ["a"],
        "one": "y",
        "pick": "q",
        "first": "p",
        "some": ["p"],
        "day:shiny.date": "2024-02-29",
        "go:shiny.action": 0,
    }


def test_outputs_are_found_whatever_makes_them() -> None:
    html = """<pre id="a" class="shiny-text-output noplaceholder"></pre>
    <div id="b" class="shiny-plot-output"></div>
    <div id="c" class="leaflet html-widget-output"></div>
    <div id="d" class="datatables html-widget html-widget-output shiny-report-size"></div>
    <div id="e" class="shiny-html-output"></div><div class="shiny-text-output">no id</div>"""
    assert read_page(html) == ShinyPage(inputs={}, outputs=("a", "b", "c", "d", "e"), dynamic=True)


def test_a_page_is_shinys_when_it_loads_its_script() -> None:
    assert is_shiny(SHINY_HTML)
    assert is_shiny("<script src='shared/shiny.js' defer></script>")
    assert not is_shiny("<p>shiny.min.js</p>")
    assert not is_document(SHINY_HTML)
    assert title_of("<TITLE> A\n b </TITLE>") == "A b"
    assert title_of("") == ""
