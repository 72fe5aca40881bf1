from collections.abc import Callable

from sandbox.facts.answer import made_of
from sandbox.facts.facts import Facts
from sandbox.facts.r_said import answer_of
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.objects import UnresolvedObject, UnresolvedObjects
from sandbox.facts.subjects.r import RInstallations, r_view
from sandbox.probe.frame import Frame, Section

Recorded = Callable[[str], Facts]


def _view(facts: Facts, seen_by: str) -> RView:
    view = r_view(facts, "shiny" if seen_by == "shiny" else "login")
    assert view is not None
    return view


def _r(*lines: str, status: str = "0", seen_by: str = "login", home: str = "/usr/lib/R") -> Section:
    facts = (f"B\tfact\thome\t{home}", *lines)
    return Section("r-view", (seen_by, seen_by, home, status, ""), facts)


def _parsed(*sections: Section) -> Facts:
    return made_of(answer_of(Frame("B", sections)))


def test_the_installation(facts_of: Recorded) -> None:
    (r,) = facts_of("worker")[RInstallations]
    assert (r.home, r.version, r.on_path) == ("/usr/lib/R", "4.2.2", True)
    assert r.found_as == ("/usr/bin/R", "/usr/lib/R")


def test_a_login_and_an_app_see_r_differently(facts_of: Recorded) -> None:
    facts = facts_of("worker")
    login, app = _view(facts, "login"), _view(facts, "shiny")
    assert (login.how, login.user, login.environment["HOME"]) == ("login", "ops", "/home/ops")
    assert (app.how, app.user, app.environment["HOME"]) == ("worker", "shiny", "/var/lib/shiny")
    assert app.working_dir == "/srv/shiny-server/faces"
    assert app.environment["SITEVAR"] == "abc"
    assert app.environment["MARK"] == "with space"


def test_what_r_says(facts_of: Recorded) -> None:
    view = _view(facts_of("worker"), "shiny")
    assert view.locale["LC_COLLATE"] == "en_US.UTF-8"
    assert view.sort_probe == ("a", "A", "b", "B")
    assert view.l10n.utf8
    assert view.timezone == "Etc/UTC"
    assert view.tz_variable is None
    assert view.capabilities["cairo"] is True
    assert view.external_software["BLAS"].endswith("libblas.so.3.11.0")
    assert view.rng_kind == ("Mersenne-Twister", "Inversion", "Rejection")
    assert view.repos == {"CRAN": "https://cran.example.org"}
    assert view.options["digits"] == "7L"
    assert view.umask == "0022"
    assert view.tempdir_exec is True
    assert view.graphics.real_glyphs is True


def test_a_secret_of_the_environment_never_arrived(facts_of: Recorded) -> None:
    view = _view(facts_of("worker"), "shiny")
    assert (
        view.environment["MYAPP_DB_PASSWORD"] == "<not taken: 9-16 characters, #168DB2B2D0388651>"
    )


def test_packages(facts_of: Recorded) -> None:
    view = _view(facts_of("worker"), "shiny")
    shiny, base = view.package("shiny"), view.package("base")
    assert shiny is not None
    assert (shiny.version, shiny.library, shiny.priority) == (
        "1.7.4",
        "/usr/lib/R/site-library",
        None,
    )
    assert base is not None
    assert base.priority == "base"
    assert view.package("nosuch") is None


def test_of_two_libraries_the_first_counts() -> None:
    section = _r(
        "B\tfact\tlib_path\t/mine",
        "B\tfact\tlib_path\t/site",
        "B\tfact\tpackage\tx\t1.0\t/site\t4.2.2\t",
        "B\tfact\tpackage\tx\t2.0\t/mine\t4.2.2\t",
    )
    package = _parsed(section)[RInstallations][0].views[0].package("x")
    assert package is not None
    assert package.version == "2.0"


def test_shared_objects_that_do_not_resolve(facts_of: Recorded) -> None:
    path = "/usr/local/lib/R/site-library/broken/libs/mime.so"
    found = facts_of("worker").get(UnresolvedObjects)
    assert found == (UnresolvedObject(path=path, missing=("libgone.so.5",)),)


def test_a_package_that_ends_r_and_those_behind_it(facts_of: Recorded) -> None:
    loads = {load.name: load for load in _view(facts_of("worker"), "shiny").loads}
    assert (loads["shiny"].ok, loads["shiny"].version) == (True, "1.7.4")
    assert not loads["crash"].ok
    assert "R itself ended: last words" in (loads["crash"].error or "")
    assert not loads["stats"].ok
    assert loads["stats"].error == "not tried: R itself ended while it loaded crash"


def test_a_package_that_hangs() -> None:
    section = _r("B\tfact\tto_load\tslow", "B\tfact\tloading\tslow", status="124")
    (load,) = _parsed(section)[RInstallations][0].views[0].loads
    assert (load.ok, load.error) == (False, "R did not answer in time")


def test_a_package_that_is_not_there(facts_of: Recorded) -> None:
    section = _r(
        "B\tfact\tto_load\tx",
        "B\tfact\tloading\tx",
        "B\tfact\tnot_loaded\tx\tthere is no package called \\\\x\\nat all",
    )
    (load,) = _parsed(section)[RInstallations][0].views[0].loads
    assert load.error == "there is no package called \\x\nat all"


def test_a_broken_site_profile_is_told_and_the_rest_is_still_seen(facts_of: Recorded) -> None:
    facts = facts_of("broken")
    for seen_by in ("login", "shiny"):
        view = _view(facts, seen_by)
        assert view.version == "4.2.2"
        assert view.startup_error is not None
        assert "Error: site profile is broken" in view.startup_error
        assert "https://<redacted>@git.example.org" in view.startup_error
    assert "hunter2" not in facts.model_dump_json()


def test_an_r_that_never_starts_is_not_seen() -> None:
    failed = Section(
        "r-failed", ("shiny", "replay", "", "124"), ("su: ignoring --preserve-environment", "hm")
    )
    found = _parsed(failed)
    assert found[RInstallations] == ()
    assert [(one.what, one.why) for one in found.not_seen] == [
        ("R inside a Shiny app", "R did not answer in time\nhm")
    ]


def test_a_worker_that_fails_and_a_replay_that_works() -> None:
    failed = Section("r-failed", ("shiny", "worker", "/usr/lib/R", "1"), ("gone",))
    replay = Section(
        "r-view", ("shiny", "replay", "", "0", ""), ("hello", "B\tfact\thome\t/usr/lib/R")
    )
    found = _parsed(failed, replay)
    (view,) = found[RInstallations][0].views
    assert (view.how, view.startup_output, view.startup_error) == ("replay", "hello", None)
    assert found.not_seen == ()


def test_several_installations_the_one_on_the_path_first() -> None:
    listing = Section(
        "r-found",
        ("/opt/R/4.4.1/bin/R",),
        (
            "/opt/R/4.4.1/lib/R\t4.4.1\t/opt/R/4.4.1/bin/R\t/opt/R/4.4.1/bin/R",
            "/usr/lib/R\t4.2.2\t/usr/lib/R\t/usr/lib/R/bin/R",
            "/opt/R/4.4.1/lib/R\t4.4.1\t/opt/R/4.4.1\t/opt/R/4.4.1/bin/R",
            "/opt/R/3.6.3/lib/R\t3.6.3\t/opt/R/3.6.3\t/opt/R/3.6.3/bin/R",
        ),
    )
    found = _parsed(listing, _r(home="/usr/lib/R"), _r(home="/opt/R/4.4.1/lib/R"))
    assert [(r.version, r.on_path, len(r.views)) for r in found[RInstallations]] == [
        ("4.4.1", True, 1),
        ("3.6.3", False, 0),
        ("4.2.2", False, 1),
    ]
    assert found[RInstallations][0].found_as == ("/opt/R/4.4.1/bin/R", "/opt/R/4.4.1")


def test_a_part_of_r_that_failed_is_not_seen() -> None:
    found = _parsed(_r("B\tfact\tfailed\tLAPACK\tno such symbol"))
    assert [(one.what, one.why) for one in found.not_seen] == [
        ("R's LAPACK (login)", "no such symbol")
    ]


def test_only_what_was_said_before_the_first_command_is_the_start_ups() -> None:
    lines = ("Welcome", "B\tbegin", "Fontconfig warning", "B\tfact\thome\t/usr/lib/R")
    section = Section("r-view", ("login", "login", "/usr/lib/R", "0", ""), lines)
    assert _parsed(section)[RInstallations][0].views[0].startup_output == "Welcome"


def test_tofu_and_drawing_that_fails() -> None:
    tofu, error = (
        _parsed(_r(line))[RInstallations][0].views[0].graphics
        for line in ("B\tfact\tgraphics\tTRUE\tFALSE", "B\tfact\tgraphics_error\tno cairo")
    )
    assert (tofu.png_written, tofu.real_glyphs) == (True, False)
    assert (error.png_written, error.real_glyphs, error.error) == (False, None, "no cairo")


def test_a_value_that_is_no_text_is_named_and_loses_no_other() -> None:
    parsed = _parsed(
        _r(
            "B\tfact\tenvironment\tSTAGE\tproduction",
            "B\tfact\tenvironment\tCITY\tcaf\N{REPLACEMENT CHARACTER}",
            "B\tfact\toption\tdigits\t7\tinteger",
            "B\tfact\toption\tname\t\N{REPLACEMENT CHARACTER}\tcharacter",
        )
    )
    (view,) = parsed[RInstallations][0].views
    assert view.environment == {"STAGE": "production"}
    assert "name" not in view.options
    assert [(one.what, one.why) for one in parsed.not_seen] == [
        ("the variable CITY in R (login)", "it has bytes that are not UTF-8"),
        ("the option name in R (login)", "it has bytes that are not UTF-8"),
    ]
