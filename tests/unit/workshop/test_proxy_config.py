"""The proxy's files: what is in them, and what never gets into them."""

from dataclasses import replace
from typing import Any

import pytest

from sandbox.errors import BoxError
from sandbox.spec.services import Services
from sandbox.workshop.proxy_config import (
    ProxySettings,
    SeatFront,
    SeatRoute,
    fronts_of,
    map_file,
    proxy_conf,
    seats_file,
)

SETTINGS = ProxySettings(
    folder="/state/workshops/class/nginx",
    listen="127.0.0.1:8080",
    claim_host="claim.localhost",
    claim_upstream="127.0.0.1:8091",
    fronts=(SeatFront("rstudio_server", "/", 8787), SeatFront("shiny_server", "/shiny/", 3838)),
)


def fronts(**services: Any) -> tuple[SeatFront, ...]:
    return fronts_of(Services.model_validate(services))


RSTUDIO = {"version": "2024.12.0+467"}


def test_what_people_work_in_has_the_whole_name() -> None:
    assert fronts(plumber={"path": "a"}, shiny_server={}, rstudio_server=RSTUDIO) == (
        SeatFront("rstudio_server", "/", 8787),
        SeatFront("shiny_server", "/shiny/", 3838),
        SeatFront("plumber", "/api/", 8000),
    )
    assert fronts(shiny_server={"port": 4000}) == (SeatFront("shiny_server", "/", 4000),)
    assert fronts() == ()


def test_each_of_several_apis_has_a_path_but_not_one_that_nobody_reaches() -> None:
    apis = (
        {"name": "sales", "path": "a", "port": 8001},
        {"name": "inner", "path": "b", "port": 8002, "host": "127.0.0.1"},
        {"name": "stock-2", "path": "c", "port": 8003},
    )
    assert fronts(shiny_server={}, plumber={"apis": apis})[1:] == (
        SeatFront("plumber", "/api/sales/", 8001),
        SeatFront("plumber_2", "/api/stock-2/", 8003),
    )
    assert fronts(shiny_server={}, plumber={"apis": apis[:2]})[1:] == (
        SeatFront("plumber", "/api/", 8001),
    )


def test_all_names_are_known_whether_they_answer_or_not() -> None:
    assert seats_file(["seat02.x", "seat01.x"]) == "seat01.x 1;\nseat02.x 1;\n"
    with pytest.raises(ValueError, match="no such host name"):
        seats_file(["seat01.x 1; include /etc/passwd"])


def test_each_server_has_its_map_and_its_path() -> None:
    text = proxy_conf(SETTINGS)
    assert 'include "/state/workshops/class/nginx/rstudio_server.map";' in text
    assert "proxy_pass http://$sandbox_shiny_server$rest_of_shiny_server;" in text
    assert "user " not in text
    assert "proxy_pass http://$sandbox_rstudio_server;" in text
    assert "listen 127.0.0.1:8080 default_server;" in text
    assert "ssl" not in text
    assert text.count("{") == text.count("}")


def test_a_certificate_is_used_for_both_names() -> None:
    text = proxy_conf(replace(SETTINGS, certificate="/c/my cert.pem", key="/c/key.pem"))
    assert 'ssl_certificate "/c/my cert.pem";' in text
    assert "listen 127.0.0.1:8080 default_server ssl;" in text


def test_a_path_cannot_be_a_statement() -> None:
    text = proxy_conf(replace(SETTINGS, folder='/a"; include /etc/passwd; "'))
    assert '"/a\\"; include /etc/passwd; \\"/nginx.pid";' in text
    for folder in ("/a$host", "/a\nb"):
        with pytest.raises(BoxError):
            proxy_conf(replace(SETTINGS, folder=folder))


def test_a_map_has_a_line_for_each_seat_that_answers() -> None:
    routes = [
        SeatRoute("seat02.x", {"rstudio_server": "10.1.2.4:8787"}),
        SeatRoute(
            "seat01.x", {"rstudio_server": "[fd42::7]:8787", "shiny_server": "10.1.2.3:3838"}
        ),
        SeatRoute("seat03.x", {}),
    ]
    assert (
        map_file("rstudio_server", routes) == "seat01.x [fd42::7]:8787;\nseat02.x 10.1.2.4:8787;\n"
    )
    assert map_file("plumber", routes) == ""


@pytest.mark.parametrize(
    ("host", "upstream"),
    [
        ("seat01.x; include", "10.1.2.3:1"),
        ("seat01.x\n", "10.1.2.3:1"),
        ("~.*", "10.1.2.3:1"),
        ("seat01.x", "unix:/run/incus/unix.socket"),
        ("seat01.x", "10.1.2.3:80; evil"),
        ("seat01.x", "localhost:80"),
    ],
)
def test_a_route_cannot_be_anything_else(host: str, upstream: str) -> None:
    with pytest.raises(ValueError, match="no such route"):
        map_file("plumber", [SeatRoute(host, {"plumber": upstream})])
