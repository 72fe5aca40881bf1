"""The one command that checks ask as root: what it says, and that a plan says nothing in it."""

import shlex

import pytest

from sandbox.checks import correct, snappy
from sandbox.checks.check import NothingToLookAt
from sandbox.checks.inspection import (
    WATCHED_FILES,
    FileMode,
    Login,
    inspection_script,
    parse_inspection,
    planned_packages,
    watched_files,
)
from sandbox.facts.facts import NotSeen
from sandbox.spec.r import R
from tests.unit.checks.samples import doctored, full_plan, good
from tests.unit.factories import placed, plain_plan, shiny_plan

ANSWER = """@state
degraded
@failed
cron.service loaded failed failed Regular background program processing daemon
@files
640 root regular file|/etc/shadow
755 shiny directory|/var/log/shiny-server
@packages
installed pandoc 2.17.1.1-2~deb12u1
config-files shiny-server 1.5.20.1002-1
half-configured r-base-core 4.2.2-1
@accounts
root:0:/bin/bash:locked
games:5:/usr/sbin/nologin:set
guest:1002::empty
@disk
/dev/loop0 40960 4537 34737 12% /
@inodes
/dev/loop0 0 0 0 - /
@end
"""


def test_the_answer_is_read() -> None:
    found = parse_inspection(ANSWER)
    assert (found.system_state, found.failed_units) == ("degraded", ("cron.service",))
    assert found.file("/etc/shadow") == FileMode("/etc/shadow", 0o640, "root", "regular file")
    assert found.file("/etc/sudoers") is None
    assert found.packages == {"pandoc": "2.17.1.1-2~deb12u1"}
    assert found.half_installed == {"r-base-core": "half-configured"}
    assert found.logins == (
        Login("root", 0, "/bin/bash", "locked"),
        Login("games", 5, "/usr/sbin/nologin", "set"),
        Login("guest", 1002, "", "empty"),
    )
    assert [login.has_shell for login in found.logins] == [True, False, True]
    assert (found.disk_used_percent, found.disk_free_mb) == (12, 34737)
    assert found.inodes_used_percent is None


@pytest.mark.parametrize("at", [0, len(ANSWER) // 2, len(ANSWER) - 6])
def test_an_answer_that_was_cut_off_is_not_believed(at: int) -> None:
    with pytest.raises(ValueError, match="cut off"):
        parse_inspection(ANSWER[:at])


@pytest.mark.parametrize("line", ["/dev/loop0 40960", ""])
def test_a_df_that_says_something_else_is_not_believed(line: str) -> None:
    with pytest.raises(ValueError, match="df answered"):
        parse_inspection(ANSWER.replace("/dev/loop0 40960 4537 34737 12% /", line))


def test_packages_are_asked_for_by_name() -> None:
    text = inspection_script(full_plan())
    assert "-- pandoc r-base-core r-cran-shiny shiny-server 2>" in text
    assert "@" not in text.replace("@state", "").split("@failed")[0]


def test_without_packages_none_is_asked_for() -> None:
    assert planned_packages(plain_plan()) == ()
    assert 'if [ -n "" ]' in inspection_script(plain_plan())


def test_a_hostile_package_name_stays_a_word() -> None:
    evil = "x$(touch /tmp/pwned)`id`'\""
    plan = full_plan().model_copy(update={"apt_packages": (evil,)})
    assert shlex.quote(evil) in inspection_script(plan)
    assert f'"{evil}' not in inspection_script(plan)


def test_memory_that_was_not_seen_is_skipped_and_never_passed() -> None:
    (check,) = [one for one in snappy.seen_checks(placed(full_plan())) if one.id == "snappy.memory"]
    seen = doctored(good(), "facts.machine.memory_mb", None)
    hidden = (NotSeen(what="memory", why="its limit is not shown"),)
    with pytest.raises(NothingToLookAt, match="its limit is not shown"):
        check.look(doctored(seen, "facts.not_seen", hidden))


def test_a_package_that_an_installation_has_left_halfway_says_what_mends_it() -> None:
    (check,) = [
        one
        for one in correct.seen_checks(placed(full_plan()))
        if one.id == "correct.debian-packages"
    ]
    packages = dict.fromkeys(("r-base-core", "r-cran-shiny", "shiny-server"), "1")
    seen = doctored(good(), "inspection.packages", packages)
    assert check.look(seen).actual == "pandoc is not"
    half = doctored(seen, "inspection.half_installed", {"pandoc": "half-configured"})
    found = check.look(half)
    assert not found.ok
    assert found.actual == "pandoc is installed but half-configured: sudo dpkg --configure -a"


def test_the_site_files_of_every_r_are_watched() -> None:
    plan = shiny_plan()
    assert watched_files(plan) == WATCHED_FILES
    posits = plan.model_copy(update={"r": R(version="4.4.1", source="posit")})
    assert watched_files(posits)[-2:] == (
        "/opt/R/4.4.1/lib/R/etc/Rprofile.site",
        "/opt/R/4.4.1/lib/R/etc/Renviron.site",
    )
    assert "/opt/R/4.4.1/lib/R/etc/Rprofile.site" in inspection_script(posits)
