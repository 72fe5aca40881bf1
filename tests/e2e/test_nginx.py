"""nginx in front of Shiny Server, for real: put into a clone of the shared machine."""

import json
from collections.abc import Iterator

import pytest

from sandbox.checks.shiny_session import session_url
from sandbox.checks.web import ask_for_websocket, fetch
from tests.conftest import Host
from tests.e2e.conftest import Shiny

BOX = "version: 1\nextends: shiny\n"


@pytest.fixture(scope="module")
def urls(host: Host, shiny: Shiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The URLs that `up` prints once the box has nginx; before, it is what `shiny` was kept as."""
    del shiny
    box = tmp_path_factory.mktemp("front") / "front.yml"
    box.write_text(BOX)
    try:
        host.sandbox("up", box, timeout_s=1800)
        box.write_text(f"{BOX}services: {{nginx: {{}}}}\n")
        yield host.sandbox("up", box, timeout_s=1800).stdout.split()[-2:]
    finally:
        host.sandbox("destroy", "front", expect=None)


def test_the_app_is_there_at_nginx_first_and_at_shiny_server(urls: list[str]) -> None:
    assert [url.rpartition(":")[2] for url in urls] == ["80/faithful/", "3838/faithful/"]
    for url in urls:
        page = fetch(url, timeout_s=30)
        assert page.status == 200
        assert "Old Faithful" in page.body
        assert ask_for_websocket(f"{session_url(url)}/websocket", timeout_s=30) == 101


def test_checks_and_listings_know_it(host: Host, urls: list[str]) -> None:
    report = json.loads(host.sandbox("check", "front", "--json").stdout)
    outcomes = {result["id"]: result["outcome"] for result in report["results"]}
    assert set(outcomes.values()) == {"passed"}, outcomes
    assert {
        "up.service.nginx",
        "up.enabled.nginx",
        "up.page.nginx.faithful",
        "up.websocket.nginx.faithful",
        "safe.port.80",
    } <= set(outcomes)
    rows = json.loads(host.sandbox("list", "--json").stdout)
    assert next(row["urls"] for row in rows if row["name"] == "front") == urls
    assert host.sandbox("open", "front", "--no-browser").stdout.split() == urls


def test_a_proxy_without_websockets_is_found_and_put_right(host: Host, urls: list[str]) -> None:
    del urls
    spoil = "sed -i /Upgrade/d /etc/nginx/sites-available/sandbox && systemctl reload nginx"
    host.sandbox("exec", "front", "--", "sudo", "sh", "-c", spoil)
    report = json.loads(host.sandbox("check", "front", "--goal", "up", "--json", expect=1).stdout)
    failed = [one for one in report["results"] if one["outcome"] == "failed"]
    assert [one["id"] for one in failed] == ["up.websocket.nginx.faithful"]
    assert failed[0]["fix"] == "sandbox up front"
    host.sandbox("up", "front")
    host.sandbox("check", "front")
