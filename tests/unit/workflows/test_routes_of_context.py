"""Whose mirrors count when this host fetches for a plan, and where the proxy's login comes from."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import UsageError
from sandbox.providers.place import Place
from sandbox.spec.mirrors import Mirrors
from sandbox.spec.user_config import UserConfig
from sandbox.spec.values import Secret
from sandbox.workflows.context import Context
from sandbox.workflows.secrets_given import GivenSecrets
from tests.unit.factories import plain_plan

URL = "https://cloud.r-project.org/x"


def context(mirrors: Mirrors, **rest: Any) -> Context:
    config = UserConfig(mirrors=mirrors)
    return Context(Place.from_prefix("sandbox", "local"), user_config=lambda: config, **rest)


def test_the_boxs_mirrors_come_before_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    user = Mirrors(cran="https://user.example/cran", posit="https://user.example/posit")
    plan = plain_plan().model_copy(update={"mirrors": Mirrors(cran="https://box.example/cran")})
    fetcher = context(user).fetcher(plan)
    assert fetcher.routes.route(URL).address.url == "https://box.example/cran/x"
    assert fetcher.routes.route("https://cdn.posit.co/r").address.url.endswith("/posit/r")
    assert fetcher.store.folder == tmp_path / "sandbox" / "fetched"
    assert context(user).routes(plain_plan()).route(URL).address.url.startswith("https://user")


def test_a_proxy_that_is_a_secret_comes_from_where_secrets_come_from() -> None:
    mirrors = Mirrors(proxy=Secret(secret="PROXY"))
    given = GivenSecrets({"PROXY": "http://me:w0rd@p.example:3128"})
    routes = context(mirrors, secrets=given).routes(plain_plan())
    proxy = routes.proxy_for(URL)
    assert proxy is not None
    assert proxy.url == "http://p.example:3128"
    assert proxy.login is not None
    with pytest.raises(UsageError, match="PROXY"):
        context(mirrors).routes(plain_plan())


def test_the_users_variables_are_the_last_choice() -> None:
    variables = {"https_proxy": "http://env.example:1", "no_proxy": ".in.example"}
    routes = context(Mirrors(), user_proxies=variables).routes(plain_plan())
    proxy = routes.proxy_for(URL)
    assert proxy is not None
    assert proxy.url == "http://env.example:1"
    assert routes.proxy_for("https://a.in.example/") is None
    assert "env.example" not in repr(context(Mirrors(), user_proxies=variables))
