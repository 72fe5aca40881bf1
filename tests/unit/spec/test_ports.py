"""Each server of a box has a port for itself, and what stands in front has something behind it."""

import pytest

from tests.unit.spec.conftest import HEAD, Load, Problems


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        (
            "services:\n  nginx: {port: 8080}\n",
            "box.yml:5: services.nginx: nginx has no server behind it to hand requests on to. "
            "Add `shiny_server: {}` beside it",
        ),
        (
            "services:\n  shiny_server: {}\n  nginx:\n    port: 3838\n",
            "box.yml:7: services.nginx.port: port 3838 is taken: shiny_server listens there. "
            "The usual ones are 3838 of `shiny_server` and 80 of `nginx`",
        ),
        (
            "services:\n  shiny_server: {port: 80}\n  nginx: {}\n",
            "box.yml:6: services.nginx: port 80 is taken: shiny_server listens there. "
            "The usual ones are 3838 of `shiny_server` and 80 of `nginx`",
        ),
        (
            "services:\n  shiny_server: {}\n  nginx: {port: 22}\n",
            "box.yml:6: services.nginx.port: port 22 is taken: ssh listens there. "
            "The usual one is 80",
        ),
    ],
)
def test_what_cannot_be(problems: Problems, services: str, expected: str) -> None:
    (problem,) = problems(HEAD + "r: {}\n" + services)
    assert str(problem).split("\n")[0] == expected


def test_nginx_in_front_of_shiny_server(load: Load) -> None:
    box = load(HEAD + "r: {}\nservices: {shiny_server: {}, nginx: {}}\n").box
    assert box.services.nginx is not None
    assert box.services.nginx.port == 80


def test_a_server_can_come_from_the_box_that_is_extended(problems: Problems) -> None:
    text = "extends: gone.yml\nversion: 1\nservices: {nginx: {}}\n"
    assert [problem.key for problem in problems(text)] == ["extends"]
