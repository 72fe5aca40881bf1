"""Every directive of the open-source Shiny Server is a key; all others are refused in words."""

import pytest

from sandbox.spec import shiny_directives, shiny_semantics
from sandbox.spec.shiny_directives import DIRECTIVES, PRO_ONLY, Directive, knows, read_words
from sandbox.spec.shiny_server import ShinyLocation, ShinyServer, ShinySite
from tests.unit.spec.conftest import HEAD, Load, Problems

SHINY = HEAD + "r: {}\napps: []\nservices:\n  shiny_server:\n"


def said(problem: object) -> str:
    return str(problem).split("\n")[0]


def test_each_key_is_a_directive_that_may_stand_there() -> None:
    ours = {"port", "host", "locations", "servers", "path", "app"}
    for model, place in ((ShinyServer, "top"), (ShinySite, "server"), (ShinyLocation, "location")):
        keys = set(model.model_fields) - ours
        assert keys == {name for name, one in DIRECTIVES.items() if place in one.places}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "    app_idle_timout: 5\n",
            "box.yml:7: services.shiny_server.app_idle_timout: unknown key `app_idle_timout`. "
            "Perhaps you meant `app_idle_timeout` or `app_init_timeout`?",
        ),
        (
            "    utilization_scheduler: 20\n",
            "box.yml:7: services.shiny_server.utilization_scheduler: unknown key "
            "`utilization_scheduler`: only Shiny Server Pro has it. Leave it out: Debian's is the "
            "open-source edition, which ends at this directive",
        ),
        (
            "    listen: 80\n",
            "box.yml:7: services.shiny_server.listen: unknown key `listen`. "
            "It is `port` and `host` in a box",
        ),
        (
            "    app_dir: /srv/x\n",
            "box.yml:7: services.shiny_server.app_dir: `app_dir` cannot stand here. "
            "It is a key of `locations[]`",
        ),
        (
            "    run_as: root\n",
            "box.yml:7: services.shiny_server.run_as: apps cannot run as root: what an app can be "
            "talked into is then done as root. Name an account of their own, such as shiny",
        ),
        (
            "    locations: [{path: /}]\n",
            "box.yml:7: services.shiny_server.locations[0].path: nothing stands at this location. "
            "Say one of `app`, `app_dir`, `site_dir`, `user_dirs`, `redirect`",
        ),
        (
            "    locations: [{path: /, site_dir: /srv/x}]\n",
            "box.yml:7: services.shiny_server.locations[0].path: the apps of the box are at this "
            "place. Settings for them stand beside `port`",
        ),
        (
            "    locations: [{path: /x, app: gone}]\n",
            "box.yml:7: services.shiny_server.locations[0].app: the box has no app `gone`. "
            "Name it in `apps`",
        ),
        (
            "    locations: [{path: /x, app_dir: '/srv/a; run_as root'}]\n",
            "box.yml:7: services.shiny_server.locations[0].app_dir: expected a path on the machine "
            "that begins with a slash, without blanks or quotes, not the text "
            "`/srv/a; run_as root`",
        ),
        (
            "    locations: [{path: /x, app_dir: /a}, {path: /x/, app_dir: /b}]\n",
            "box.yml:7: services.shiny_server.locations[1].path: another location is at `/x` "
            "(line 7)",
        ),
        (
            "    servers:\n"
            "      - {port: 80, server_name: [a.org], locations: [{path: /, app_dir: /a}]}\n"
            "      - {port: 80, server_name: [a.org], locations: [{path: /, app_dir: /b}]}\n",
            "box.yml:9: services.shiny_server.servers[1].port: port 80 is taken: shiny_server "
            "listens there. Choose another",
        ),
        (
            "    servers: [{port: 3838, locations: [{path: /, app_dir: /a}]}]\n",
            "box.yml:7: services.shiny_server.servers[0].port: port 3838 is taken: shiny_server "
            "listens there. Choose another",
        ),
    ],
)
def test_what_cannot_be(problems: Problems, text: str, expected: str) -> None:
    (problem,) = problems(SHINY + text)
    assert said(problem) == expected


def test_everything_at_once(load: Load) -> None:
    box = load(
        SHINY
        + "    port: 80\n    host: 127.0.0.1\n    run_as: ':HOME_USER: shiny'\n"
        + "    app_idle_timeout: 0\n    http_keepalive_timeout: 45.5\n    log_file_mode: '0644'\n"
        + "    access_log: /var/log/shiny-server/access.log combined\n"
        + "    disable_protocols: [websocket]\n    frame_options: allow-from https://x.org\n"
        + "    locations: [{path: /a, app_dir: /srv/a, app_init_timeout: 120}]\n"
        + "    servers:\n      - port: 80\n        host: 127.0.0.1\n"
        + "        server_name: [apps.example.org]\n"
        + "        locations: [{path: /, redirect: 'https://x.org/'}]\n"
    ).box
    shiny = box.services.shiny_server
    assert shiny is not None
    assert shiny.servers is not None
    assert shiny.said("top")["run_as"] == (":HOME_USER:", "shiny")
    assert shiny.servers[0].said("server") == {"server_name": ("apps.example.org",)}
    assert shiny.servers[0].locations[0].served == "redirect"


def test_a_plan_without_new_keys_says_nothing_of_them() -> None:
    assert ShinyServer().model_dump(mode="json") == {"port": 3838}


def test_a_directive_that_the_bases_version_does_not_know(
    problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = {**DIRECTIVES, "reconnect": Directive("reconnect", "flag", "1.6.0")}
    monkeypatch.setattr(shiny_semantics, "DIRECTIVES", newer)
    (problem,) = problems(SHINY + "    reconnect: false\n")
    assert said(problem) == (
        "box.yml:7: services.shiny_server.reconnect: Shiny Server of debian-12 is 1.5.20, and "
        "knows no `reconnect`. Leave it out: it came with version 1.6.0"
    )


def test_versions_are_compared_as_numbers() -> None:
    assert knows("1.5.20", DIRECTIVES["python"])
    assert not knows("1.5.9", DIRECTIVES["python"])


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("app_idle_timeout", ("0",), 0),
        ("app_idle_timeout", ("-1",), None),
        ("http_keepalive_timeout", ("45.5",), 45.5),
        ("disable_websockets", (), True),
        ("disable_websockets", ("Off",), False),
        ("disable_websockets", ("maybe",), None),
        ("run_as", (":HOME_USER:", "shiny"), ":HOME_USER: shiny"),
        ("log_dir", ("/a", "/b"), None),
        ("members_of", ("a", "b"), ("a", "b")),
    ],
)
def test_what_a_server_says_as_a_box_says_it(
    name: str, words: tuple[str, ...], value: object
) -> None:
    assert read_words(DIRECTIVES[name], words) == value


def test_no_directive_is_in_both_editions_lists() -> None:
    assert not PRO_ONLY & set(shiny_directives.DIRECTIVES)
