"""Each public URL goes to its mirror, and the way there is by the proxy or not."""

import pytest

from sandbox.fetch import addresses
from sandbox.fetch.errors import FetchError
from sandbox.fetch.routes import Routes, UserProxies, goes_direct
from sandbox.spec.mirrors import AptMirrors, Mirrors

MIRRORS = Mirrors(
    cran="https://in.example/ppm/cran",
    bioconductor="https://in.example/bioc/",
    posit="https://in.example/posit",
    rstudio="https://in.example/rstudio",
    github="https://in.example/github",
    vagrant_boxes="https://in.example/boxes",
    incus_images="https://in.example/incus",
)


@pytest.mark.parametrize(
    ("public", "asked"),
    [
        ("https://cdn.posit.co/r/versions.json", "posit/r/versions.json"),
        ("https://CDN.posit.co:443/r/a.deb", "posit/r/a.deb"),
        ("https://cdn.rstudio.com/r/a.deb", "posit/r/a.deb"),
        ("https://download2.rstudio.org/server/a.deb", "rstudio/server/a.deb"),
        ("https://www.rstudio.com/wp-content/downloads.json", "rstudio/wp-content/downloads.json"),
        ("https://packagemanager.posit.co/cran/2024-06-13/src", "ppm/cran/2024-06-13/src"),
        ("https://packagemanager.posit.co/cran/x.gz?arch=x86_64", "ppm/cran/x.gz?arch=x86_64"),
        ("https://p3m.dev/cran/latest", "ppm/cran/latest"),
        ("http://cran.r-project.org/src/contrib/a.tar.gz", "ppm/cran/src/contrib/a.tar.gz"),
        ("https://cloud.r-project.org", "ppm/cran"),
        ("https://packagemanager.posit.co/__api__/status", "ppm/__api__/status"),
        ("https://packagemanager.posit.co/bioconductor/x", "bioc/x"),
        ("https://bioconductor.org/packages/3.19/bioc", "bioc/packages/3.19/bioc"),
        ("https://codeload.github.com/r/x/tar.gz/abc", "github/r/x/tar.gz/abc"),
        ("https://api.github.com/repos/r/x", "github/repos/r/x"),
        ("https://vagrantcloud.com/a/boxes/b", "boxes/a/boxes/b"),
        ("https://images.linuxcontainers.org/streams", "incus/streams"),
    ],
)
def test_a_mirror_stands_for_a_public_address(public: str, asked: str) -> None:
    route = Routes(MIRRORS).route(public)
    assert route.address.url == f"https://in.example/{asked}"
    assert route.is_mirror
    assert not Routes().route(public).is_mirror
    assert Routes().route(public).key == route.key


def test_each_public_address_of_ours_has_a_key() -> None:
    urls = {
        value
        for name, value in vars(addresses).items()
        if name.isupper() and isinstance(value, str) and value != addresses.PACKAGE_MANAGER
    }
    assert len(urls) > 8
    assert {url for url in urls if not Routes().route(url).key} == set()


@pytest.mark.parametrize(
    "public",
    [
        "https://cdn.posit.co.evil.example/r/a.deb",
        "https://packagemanager.posit.co/cranberry/x",
        "https://cdn.posit.co:8443/r/a.deb",
        "https://internal.example/cran",
    ],
)
def test_others_are_asked_as_they_are(public: str) -> None:
    assert Routes(MIRRORS).route(public).address.url == public


def test_a_mirror_at_the_top_of_its_server_has_its_status_there() -> None:
    routes = Routes(Mirrors(cran="https://ppm.example"))
    url = routes.route("https://packagemanager.posit.co/__api__/status").address.url
    assert url == "https://ppm.example/__api__/status"


def test_a_login_is_kept_apart_from_its_address() -> None:
    routes = Routes(Mirrors(cran="https://me:s3cr%3At@in.example/cran"), proxy=None)
    route = routes.route("https://cloud.r-project.org/x")
    assert route.address.url == "https://in.example/cran/x"
    assert route.address.login == "Basic bWU6czNjcjp0"
    assert "bWU6" not in repr(route)
    assert "s3cr" not in routes.origin(route.address, {})


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example/x",
        "https:///x",
        "https://example/a\nb",
        "https://example/a b",
        "https://example/\x1b[2J",
        "https://exa\\mple/x",
        "https://example:99999/",
        "//example/x",
        "",
    ],
)
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(FetchError) as refused:
        Routes().route(url)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "url", "direct"),
    [
        ("in.example", "https://in.example/x", True),
        ("in.example", "https://sub.in.example/x", True),
        (".in.example", "https://sub.in.example/x", True),
        ("*.in.example", "https://sub.in.example/x", True),
        ("in.example", "https://begin.example/x", False),
        ("IN.example", "https://in.EXAMPLE./x", True),
        ("in.example:8443", "https://in.example:8443/x", True),
        ("in.example:8443", "https://in.example/x", False),
        ("in.example:443", "https://in.example/x", True),
        ("10.0.0.0/8", "http://10.1.2.3/x", True),
        ("10.0.0.0/8", "http://11.1.2.3/x", False),
        ("10.0.0.0/8", "http://ten.example/x", False),
        ("10.1.2.3", "http://10.1.2.3:8080/x", True),
        ("10.1.2.3:80", "http://10.1.2.3:8080/x", False),
        ("fd00::/8", "http://[fd00::1]/x", True),
        ("[fd00::1]:8080", "http://[fd00::1]:8080/x", True),
        ("::1", "http://[::1]/x", True),
        ("*", "http://any.example/x", True),
        ("", "http://any.example/x", False),
    ],
)
def test_no_proxy(entry: str, url: str, direct: bool) -> None:
    assert goes_direct(url, [entry]) is direct


def test_the_users_variables_count_where_no_proxy_is_named() -> None:
    variables = {"https_proxy": "proxy.example:3128", "no_proxy": "a.example, .b.example"}
    user = UserProxies.from_variables(variables)
    routes = Routes(user_proxies=user)
    proxy = routes.proxy_for("https://c.example/")
    assert proxy is not None
    assert proxy.url == "http://proxy.example:3128"
    assert routes.proxy_for("http://c.example/") is None
    assert routes.proxy_for("https://x.b.example/") is None
    assert routes.variables() == {}
    named = Routes(Mirrors(proxy="http://other.example:1"), user_proxies=user)
    other = named.proxy_for("https://a.example/")
    assert other is not None
    assert other.url == "http://other.example:1"


def test_programs_that_fetch_by_themselves_are_told_of_the_proxy() -> None:
    routes = Routes(Mirrors(proxy="http://p.example:1", no_proxy=("10.0.0.0/8", ".in.example")))
    assert routes.variables(["http://10.0.0.9/debian", "http://deb.example/"]) == {
        "http_proxy": "http://p.example:1",
        "https_proxy": "http://p.example:1",
        "no_proxy": "10.0.0.0/8,.in.example,10.0.0.9",
    }


def test_what_one_way_gave_does_not_count_on_another() -> None:
    """A box with a proxy and an authority of its own must not decide what others get."""
    url = "https://cdn.posit.co/r/a.deb"
    ways = [Routes(), Routes(Mirrors(proxy="http://p.example:1")), Routes(MIRRORS)]
    assert len({way.origin(way.route(url).address, {}) for way in ways}) == 3
    address = Routes().route(url).address
    assert Routes().origin(address, {"User-Agent": "R"}) != Routes().origin(address, {})


def test_a_boxs_mirrors_win_key_by_key() -> None:
    user = Mirrors(cran="https://user/cran", proxy="http://p:1", apt=AptMirrors(debian="http://d"))
    box = Mirrors(cran="https://box/cran", apt=AptMirrors(ubuntu="http://u"))
    both = box.over(user)
    assert both.cran == "https://box/cran"
    assert both.proxy == "http://p:1"
    assert both.apt == AptMirrors(debian="http://d", ubuntu="http://u")
    assert Mirrors().over(user) == user
