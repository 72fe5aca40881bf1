"""RStudio Server in a box: its keys, its version, the R that it runs, and who may sign in."""

import pytest

from sandbox.spec.rstudio_keys import Standing, is_of, rstudio_file
from sandbox.spec.rstudio_version import (
    RstudioVersion,
    engine_of,
    first_for,
    newest_r_below,
    parse_rstudio,
    suggested_for,
)
from tests.unit.spec.conftest import HEAD, Load, Problems

VERSION = "2024.12.0+467"


def box(lines: str, *, version: str = VERSION, more: str = "users: [{name: ada}]") -> str:
    """A box with RStudio Server; its first own line is line 8."""
    below = "".join(f"    {line}\n" for line in lines.splitlines())
    return f'{HEAD}r: {{}}\n{more}\nservices:\n  rstudio_server:\n    version: "{version}"\n{below}'


def config(section: str, key: str, value: str = "1") -> str:
    return f"config:\n  {section}:\n    {key}: {value}"


def test_a_box_with_keys_of_every_file_is_right(load: Load) -> None:
    lines = (
        "config:\n"
        "  rserver: {auth-timeout-minutes: 5, server-add-header: ['A: b', 'C: d']}\n"
        "  rsession: {session-timeout-minutes: 30, allow-shell: false}\n"
        "  logging: {log-level: debug}\n"
        "  repos: {CRAN: https://cran.example}\n"
        "  prefs: {save_workspace: never}\n"
        "  database: {provider: sqlite}"
    )
    rstudio = load(box(lines)).box.services.rstudio_server
    assert rstudio is not None
    assert rstudio.port == 8787
    assert rstudio.config.rserver["server-add-header"] == ("A: b", "C: d")
    assert rstudio.config.rsession["allow-shell"] is False


@pytest.mark.parametrize(
    ("section", "key", "expected"),
    [
        (
            "rserver",
            "auth-timout-minutes",
            "RStudio Server 2024.12.0 has no `auth-timout-minutes` in rserver.conf: "
            "with an unknown key the server does not start. "
            "Perhaps you meant `auth-timeout-minutes`?",
        ),
        (
            "rsession",
            "git-commit-large-file-sze",
            "RStudio Server 2024.12.0 has no `git-commit-large-file-sze` in rsession.conf: "
            "with an unknown key people sign in and get no R session. "
            "Perhaps you meant `git-commit-large-file-size`?",
        ),
        (
            "rserver",
            "session-timeout-minutes",
            "RStudio Server 2024.12.0 has no `session-timeout-minutes` in rserver.conf: "
            "with an unknown key the server does not start. It belongs under `config.rsession`",
        ),
        (
            "rserver",
            "admin-enabled",
            "`admin-enabled` is a key of Posit Workbench, and this is the open source one: "
            "with an unknown key the server does not start. Leave it out, "
            "or add `accept_keys: [admin-enabled]` if you know better",
        ),
        (
            "rserver",
            "www-port",
            "`www-port` is made from `port` of the box: said twice, no server. "
            "Leave it out, and say `port` of `rstudio_server`",
        ),
        (
            "rsession",
            "program-mode",
            "`program-mode` is what the server itself tells its sessions. Leave it out, "
            "or add `accept_keys: [program-mode]` if you know better",
        ),
        (
            "rsession",
            "directory-view-whitelist",
            "RStudio Server 2024.12.0 no longer knows `directory-view-whitelist` "
            "in rsession.conf. It is called `directory-view-allow-list` now",
        ),
        (
            "database",
            "host",
            "`host` is a key of Posit Workbench, and this is the open source one: "
            "nobody would read it. Leave it out, or add `accept_keys: [host]` if you know better",
        ),
    ],
)
def test_a_key_that_is_not_right_is_told_with_its_line(
    problems: Problems, section: str, key: str, expected: str
) -> None:
    (problem,) = problems(box(config(section, key)))
    place = f"box.yml:10: services.rstudio_server.config.{section}.{key}"
    assert str(problem).split("\n")[0] == f"{place}: {expected}"


@pytest.mark.parametrize("key", ["admin-enabled", "no-such-key", "verify-installation"])
def test_an_override_accepts_a_key(load: Load, key: str) -> None:
    text = box(f"{config('rserver', key)}\naccept_keys: [{key}]")
    rstudio = load(text).box.services.rstudio_server
    assert rstudio is not None
    assert rstudio.accept_keys == (key,)


def test_no_override_accepts_what_the_box_writes_itself(problems: Problems) -> None:
    text = box(f"{config('rserver', 'www-address', '127.0.0.1')}\naccept_keys: [www-address]")
    (problem,) = problems(text)
    assert "said twice, no server" in problem.message


def test_an_override_for_nothing_is_told(problems: Problems) -> None:
    (problem,) = problems(box("accept_keys: [no-such-key]"))
    assert problem.message == "`config` has no `no-such-key`"


def test_a_key_that_stands_there_twice_is_told_by_the_reader(problems: Problems) -> None:
    text = box("config:\n  rserver:\n    auth-timeout-minutes: 1\n    auth-timeout-minutes: 2")
    (problem,) = problems(text)
    assert problem.line == 11


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("rserver", "www-frame-origin", "[a, b]", "`www-frame-origin` can be said once only"),
        ("rserver", "auth-none", "true", "without sign-in, everybody who reaches the port"),
        ("rserver", "auth-timeout-minutes", '" 5"', "without blanks at its beginning"),
        ("rsession", "allow-shell", '"a\\nb"', "one line of text"),
        ("rserver", '"bad key"', "1", "the key must be the name of a setting"),
    ],
)
def test_values_that_cannot_be_written(
    problems: Problems, section: str, key: str, value: str, message: str
) -> None:
    (problem,) = problems(box(config(section, key, value)))
    assert message in problem.message


@pytest.mark.parametrize("version", ["2024.12.0-467", "2024.12.0", "2024.13.0+1", "1.4.1717"])
def test_a_version_needs_its_build(problems: Problems, version: str) -> None:
    (problem,) = problems(box("", version=version))
    assert "a version of RStudio Server with its build" in problem.message


def test_a_base_with_the_old_openssl(problems: Problems) -> None:
    text = box("", version="2025.09.2+418").replace("debian-12", "debian-11")
    (problem,) = problems(text)
    assert problem.line == 7
    assert "2024.12.0+467 was the last RStudio Server" in problem.message


def test_an_r_whose_graphics_it_does_not_know(problems: Problems) -> None:
    text = box("", version="2021.09.2+382")
    (problem,) = problems(text)
    assert problem.message == (
        "RStudio Server 2021.09.2 does not know the graphics of R 4.2.2: "
        "sessions would have no Plots pane"
    )
    assert problem.suggestion == 'Write `version: "2024.12.0+467"`, or an R up to 4.1'


def test_an_r_that_the_box_does_not_have(problems: Problems) -> None:
    (problem,) = problems(box('r: "4.4.1"'))
    assert problem.message == "no R 4.4.1 is in this box: it has `4.2.2`"


def test_a_box_without_r(problems: Problems) -> None:
    (problem,) = problems(box("").replace("r: {}\n", ""))
    assert problem.message == "RStudio Server needs R, and this box has none"


def test_nobody_to_sign_in(problems: Problems) -> None:
    (problem,) = problems(box("", more=""))
    assert problem.message == "nobody could sign in: this box has no users"


def test_without_passwords_a_box_needs_no_users(load: Load) -> None:
    assert load(box("passwords: false", more="")).box.users == ()


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ("[adaa]", "no user of this box is called `adaa`"),
        ("[ada, ada]", "a name is here twice"),
    ],
)
def test_users_who_may_sign_in(problems: Problems, users: str, message: str) -> None:
    (problem,) = problems(box(f"users: {users}"))
    assert problem.message == message


def test_a_path_needs_nginx(problems: Problems) -> None:
    (problem,) = problems(box("path: /rstudio"))
    assert problem.message == "a path needs nginx, which hands on from there"


def test_nginx_may_stand_before_rstudio_alone(load: Load, problems: Problems) -> None:
    services = load(box("path: /rstudio") + "  nginx: {}\n").box.services
    assert services.shiny_server is None
    (problem,) = problems(box("") + "  nginx: {}\n")
    assert problem.suggestion == "Add `path: /rstudio` to `rstudio_server`"


def test_two_servers_on_one_port(problems: Problems) -> None:
    (problem,) = problems(box("port: 3838") + "  shiny_server: {}\n")
    assert "port 3838 is taken" in problem.message


# Versions


def test_versions_are_ordered() -> None:
    texts = ["2024.12.1+563", "2024.04.2+764", "2024.12.0+467", "2025.09.2+418"]
    assert [str(one) for one in sorted(map(parse_rstudio, texts))] == [
        "2024.04.2+764",
        "2024.12.0+467",
        "2024.12.1+563",
        "2025.09.2+418",
    ]


@pytest.mark.parametrize(
    ("r", "engine", "first"),
    [
        ((4, 0), 0, None),
        ((4, 1), 14, RstudioVersion(2021, 9)),
        ((4, 2), 15, RstudioVersion(2022, 2)),
        ((4, 4), 16, RstudioVersion(2023, 3)),
        ((4, 5), 16, RstudioVersion(2023, 3)),
        ((4, 6), 17, RstudioVersion(2025, 9)),
    ],
)
def test_graphics_engines(r: tuple[int, int], engine: int, first: RstudioVersion | None) -> None:
    assert engine_of(r) == engine
    assert first_for(r) == first


def test_a_suggested_version_draws_with_its_r() -> None:
    for r in ((4, 0), (4, 2), (4, 4), (4, 5), (4, 6), (4, 7)):
        suggested = parse_rstudio(suggested_for(r))
        assert suggested >= (first_for(r) or suggested)
    assert newest_r_below(parse_rstudio("2024.12.0+467")) == "4.5"
    assert newest_r_below(parse_rstudio("2026.06.0+242")) == ""


# The list itself


@pytest.mark.parametrize("section", ["rserver", "rsession", "logging", "database"])
def test_every_key_is_found_under_its_name(section: str) -> None:
    file = rstudio_file(section)
    assert file.keys
    for name, key in file.keys.items():
        assert file.find(name) == key
        assert name == key.name


def test_a_renamed_key_was_known_before() -> None:
    old = rstudio_file("rsession").find("directory-view-whitelist")
    assert old is not None
    assert not is_of(old, parse_rstudio("2021.09.0+351"))
    assert rstudio_file("rsession").find("www-port") is not None
    assert rstudio_file("rserver").find("ssl-certificate").standing is Standing.WORKBENCH  # type: ignore[union-attr]
