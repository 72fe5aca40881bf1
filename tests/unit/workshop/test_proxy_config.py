"""The proxy's files: what is in them, and what never gets into them."""

from dataclasses import replace

import pytest

from sandbox.errors import BoxError
from sandbox.workshop.proxy_config import (
    PathOfServer,
    ProxySettings,
    SeatRoute,
    map_file,
    paths_of,
    proxy_conf,
)

SETTINGS = ProxySettings(
    folder="/state/workshops/class/nginx",
    listen="127.0.0.1:8080",
    claim_host="claim.localhost",
    claim_upstream="127.0.0.1:8091",
    paths=paths_of(["shiny_server", "rstudio_server"]),
)


def test_what_people_work_in_has_the_whole_name() -> None:
    assert paths_of(["plumber", "shiny_server", "rstudio_server"]) == (
        PathOfServer("rstudio_server", "/"),
        PathOfServer("shiny_server", "/shiny/"),
        PathOfServer("plumber", "/api/"),
    )
    assert paths_of(["shiny_server"]) == (PathOfServer("shiny_server", "/"),)
    assert paths_of([]) == ()


def test_each_server_has_its_map_and_its_path() -> None:
    text = proxy_conf(SETTINGS)
    assert 'include "/state/workshops/class/nginx/rstudio_server.map";' in text
    assert "rewrite ^/shiny/(.*)$ /$1 break;" in text
    assert "proxy_pass http://$sandbox_rstudio_server;" in text
    assert "listen 127.0.0.1:8080 default_server;" in text
    assert "ssl" not in text
    assert text.count("{") == text.count("}")


def test_a_certificate_is_used_for_both_names() -> None:
    text = proxy_conf(replace(SETTINGS, certificate="/c/my cert.pem", key="/c/key.pem"))
    assert text.count('ssl_certificate "/c/my cert.pem";') == 2
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
