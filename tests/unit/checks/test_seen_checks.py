"""Every check made from facts passes on a machine that is as planned, and fails when it is not."""

from collections.abc import Iterator

import pytest

from sandbox.checks import correct, safe, snappy, up
from sandbox.checks.check import CannotLook, Check
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.checks.safe import fingerprint
from sandbox.facts.subjects.accounts import Accounts
from sandbox.facts.subjects.ports import Ports
from sandbox.facts.subjects.r import RInstallations
from sandbox.plan import Plan
from tests.unit.checks.samples import ANNAS_KEY, doctored, full_plan, good, stranger
from tests.unit.factories import placed, plain_plan, shiny_plan

LOGIN, APP = "facts.r.0.views.0", "facts.r.0.views.1"


def all_checks(plan: Plan) -> dict[str, Check[Seen]]:
    made = [
        *up.seen_checks(placed(plan)),
        *safe.seen_checks(placed(plan)),
        *correct.seen_checks(placed(plan)),
        *snappy.seen_checks(placed(plan)),
    ]
    by_id = {check.id: check for check in made}
    assert len(by_id) == len(made), "two checks with one id"
    return by_id


def failing(seen: Seen) -> set[str]:
    return {name for name, check in all_checks(full_plan()).items() if not check.look(seen).ok}


FACTS = good().facts

BREAKS: list[tuple[str, object, set[str]]] = [
    ("inspection.failed_units", ("cron.service",), {"up.system"}),
    ("inspection.system_state", "degraded", {"up.system"}),
    ("facts.services.0.active", "failed", {"up.service.ssh"}),
    ("facts.services.1.sub", "dead", {"up.service.shiny-server"}),
    ("facts.services.1.load", "masked", {"up.service.shiny-server"}),
    ("facts.services.0.enabled", "disabled", {"up.enabled.ssh"}),
    ("facts.services.1.enabled", "masked", {"up.enabled.shiny-server"}),
    ("facts.ports", (*FACTS[Ports], stranger("0.0.0.0")), {"safe.ports"}),
    ("facts.ports", (*FACTS[Ports], stranger("fe80::1%eth0")), {"safe.ports"}),
    ("facts.ports", (*FACTS[Ports], stranger("127.0.0.1")), {"safe.ports.loopback"}),
    ("facts.ports", FACTS[Ports][1:], {"safe.port.22"}),
    ("facts.ports.1.process", "nc", {"safe.port.3838"}),
    ("facts.ports.3.port", 6868, {"safe.ports"}),
    ("inspection.logins.0.password", "set", {"safe.passwords"}),
    ("inspection.logins.3.password", "empty", {"safe.passwords"}),
    ("inspection.logins.1.shell", "/bin/bash", {"safe.users"}),
    ("inspection.logins.1.uid", 0, {"safe.users"}),
    ("facts.users.2.sudo", True, {"safe.sudo", "safe.user.anna"}),
    ("facts.users.2.groups", ("anna",), {"safe.user.anna"}),
    ("facts.users", FACTS[Accounts][:2], {"safe.user.anna"}),
    ("inspection.logins.3.shell", "/usr/sbin/nologin", {"safe.user.anna"}),
    ("facts.authorized_keys.0.vagrant_insecure", True, {"safe.keys.vagrant"}),
    ("facts.authorized_keys.1.fingerprint", "SHA256:other", {"safe.keys"}),
    ("facts.authorized_keys.0.fingerprint", fingerprint(ANNAS_KEY), {"safe.keys"}),
    ("facts.sshd.password_authentication", True, {"safe.sshd.password"}),
    ("facts.sshd.kbd_interactive_authentication", True, {"safe.sshd.password"}),
    ("facts.sshd.permit_empty_passwords", True, {"safe.sshd.password"}),
    ("facts.sshd.permit_root_login", "yes", {"safe.sshd.root"}),
    ("inspection.files.0.mode", 0o644, {"safe.files.readable"}),
    ("inspection.files.1.mode", 0o664, {"safe.files.writable"}),
    ("inspection.files.1.owner", "shiny", {"safe.files.writable"}),
    ("inspection.files.2.mode", 0o777, {"safe.files.writable"}),
    ("inspection.files.2.path", "/etc/rstudio/secure-cookie-key", {"safe.files.cookie-key"}),
    ("facts.shiny_server.run_as", ("root",), {"safe.shiny.user"}),
    ("facts.shiny_server", None, {"safe.shiny.user"}),
    (f"{APP}.user", "root", {"safe.shiny.user"}),
    ("facts.os.codename", "trixie", {"correct.os"}),
    ("facts.timezone.name", "Etc/UTC", {"correct.timezone"}),
    ("facts.timezone.localtime_is_symlink", False, {"correct.timezone"}),
    (f"{LOGIN}.timezone", "Etc/UTC", {"correct.timezone.login"}),
    (f"{APP}.timezone", None, {"correct.timezone.app"}),
    ("facts.locale.settings", {}, {"correct.locale"}),
    ("facts.locale.settings.LC_TIME", "C", {"correct.locale"}),
    ("facts.locale.available", ("C", "C.utf8"), {"correct.locale"}),
    (f"{LOGIN}.locale.LC_COLLATE", "C", {"correct.locale.login"}),
    (f"{APP}.locale.LC_CTYPE", "C.UTF-8", {"correct.locale.app"}),
    (f"{APP}.l10n.utf8", False, {"correct.locale.app"}),
    (f"{LOGIN}.environment", {}, {"correct.environment.OMP_NUM_THREADS.login"}),
    (f"{APP}.environment.OMP_NUM_THREADS", "2", {"correct.environment.OMP_NUM_THREADS.app"}),
    (f"{LOGIN}.limits.nofile.soft", 1024, {"correct.limit.nofile.login"}),
    (f"{APP}.limits.nofile", None, {"correct.limit.nofile.app"}),
    (f"{LOGIN}.limits.nproc.soft", None, {"correct.limit.nproc.login"}),
    (f"{APP}.limits.nproc.soft", 64, {"correct.limit.nproc.app"}),
    ("inspection.packages", {"r-base-core": "1"}, {"correct.debian-packages"}),
    ("facts.r.0.views.0.version", "4.20.1", {"correct.r.version.login"}),
    (f"{APP}.version", "4.1.3", {"correct.r.version.app"} | {"correct.r.packages.built.app"}),
    (f"{LOGIN}.startup_error", "Error in options(digits = )", {"correct.r.startup.login"}),
    (f"{APP}.startup_output", "Setting LC_CTYPE failed", {"correct.r.startup.app"}),
    (f"{LOGIN}.rng_kind.2", "Rounding", {"correct.r.rng.login"}),
    (f"{APP}.rng_kind.0", "Wichmann-Hill", {"correct.r.rng.app"}),
    (f"{LOGIN}.external_software.BLAS", "/lib/blas/libblas.so.3", {"correct.r.blas.login"}),
    (f"{APP}.external_software.BLAS", "/lib/atlas/libblas.so.3", {"correct.r.blas.app"}),
    (f"{LOGIN}.options.digits", "15", {"correct.r.option.digits.login"}),
    (f"{APP}.options.digits", '"7"', {"correct.r.option.digits.app"}),
    (f"{LOGIN}.options.scipen", "0", {"correct.r.option.scipen.login"}),
    (f"{APP}.options.scipen", "999", {"correct.r.option.scipen.app"}),
    (f"{LOGIN}.options.OutDec", '"."', {"correct.r.option.OutDec.login"}),
    (f"{APP}.options.OutDec", '"."', {"correct.r.option.OutDec.app"}),
    (
        f"{LOGIN}.options.warnPartialMatchDollar",
        "FALSE",
        {"correct.r.option.warnPartialMatchDollar.login"},
    ),
    (
        f"{APP}.options",
        {"digits": "7", "scipen": "1.5", "OutDec": '","'},
        {"correct.r.option.warnPartialMatchDollar.app"},
    ),
    (f"{LOGIN}.repos", {}, {"correct.r.repo.CRAN.login"}),
    (f"{APP}.repos.CRAN", "https://elsewhere.example.org", {"correct.r.repo.CRAN.app"}),
    (f"{APP}.loads.0.ok", False, {"correct.r.package.shiny"}),
    (f"{LOGIN}.packages.1.version", "0.1", {"correct.r.package.plumber"}),
    (f"{LOGIN}.packages.0.built", "3.6.3", {"correct.r.packages.built.login"}),
    (f"{APP}.packages.0.built", "4.3.0", {"correct.r.packages.built.app"}),
    (f"{LOGIN}.graphics.real_glyphs", False, {"correct.r.plot.login"}),
    (f"{APP}.graphics.png_written", False, {"correct.r.plot.app"}),
    (f"{LOGIN}.tempdir_exec", False, {"correct.r.tempdir.login"}),
    (f"{APP}.tempdir_exec", False, {"correct.r.tempdir.app"}),
    ("facts.machine.cpus", 2, {"snappy.cpus"}),
    ("facts.machine.memory_mb", 24105, {"snappy.memory"}),
    ("facts.machine.memory_mb", 256, {"snappy.memory"}),
    ("inspection.disk_used_percent", 97, {"snappy.disk"}),
    ("inspection.disk_free_mb", 10, {"snappy.disk"}),
    ("inspection.inodes_used_percent", 99, {"snappy.disk"}),
]


def test_a_machine_as_planned_passes_everything() -> None:
    assert failing(good()) == set()


@pytest.mark.parametrize(
    ("path", "value", "expected"), BREAKS, ids=[f"{path}={value}"[:70] for path, value, _ in BREAKS]
)
def test_each_break_is_caught_by_its_check_alone(
    path: str, value: object, expected: set[str]
) -> None:
    assert failing(doctored(good(), path, value)) == expected


def test_a_second_r_is_caught() -> None:
    second = FACTS[RInstallations][0].model_copy(update={"home": "/opt/R/4.4.1", "views": ()})
    assert failing(doctored(good(), "facts.r", (*FACTS[RInstallations], second))) == {
        "correct.r.one"
    }


def test_an_unresolved_shared_object_is_caught_and_named() -> None:
    from sandbox.facts.subjects.objects import UnresolvedObject

    broken = UnresolvedObject(path="/usr/lib/R/stringi.so", missing=("libicuuc.so.66",))
    seen = doctored(good(), "facts.unresolved_objects", (broken,))
    assert failing(seen) == {"correct.r.shared-objects"}
    look = all_checks(full_plan())["correct.r.shared-objects"].look(seen)
    assert look.actual == "/usr/lib/R/stringi.so lacks libicuuc.so.66"


def test_every_check_was_seen_red() -> None:
    red = set().union(*(expected for _, _, expected in BREAKS))
    elsewhere = {"correct.r.one", "correct.r.shared-objects"}
    assert set(all_checks(full_plan())) - red - elsewhere == set()


def test_a_service_that_is_not_there_is_not_running() -> None:
    seen = doctored(good(), "facts.services", ())
    found = failing(seen)
    assert {"up.service.ssh", "up.enabled.shiny-server"} <= found


@pytest.mark.parametrize(
    ("path", "check_id"),
    [
        ("facts.services", "up.service.ssh"),
        ("facts.ports", "safe.ports"),
        ("facts.authorized_keys", "safe.keys"),
        ("facts.sshd", "safe.sshd.password"),
        ("facts.unresolved_objects", "correct.r.shared-objects"),
        ("facts.r.0.views.1.tempdir_exec", "correct.r.tempdir.app"),
        ("facts.r.0.views.1.graphics.real_glyphs", "correct.r.plot.app"),
    ],
)
def test_what_was_not_seen_is_never_taken_for_good(path: str, check_id: str) -> None:
    check = all_checks(full_plan())[check_id]
    with pytest.raises(CannotLook):
        check.look(doctored(good(), path, None))


def test_without_root_nothing_is_said_about_sudo() -> None:
    check = all_checks(full_plan())["safe.sudo"]
    with pytest.raises(CannotLook, match="without root"):
        check.look(doctored(good(), "facts.probe.privileged", False))


def test_r_inside_an_app_that_was_not_seen_is_an_error_not_a_pass() -> None:
    check = all_checks(full_plan())["correct.timezone.app"]
    with pytest.raises(CannotLook, match="did not see R in a shiny"):
        check.look(doctored(good(), "facts.r.0.views", FACTS[RInstallations][0].views[:1]))


def test_a_package_nobody_tried_to_load_is_an_error() -> None:
    check = all_checks(full_plan())["correct.r.package.shiny"]
    with pytest.raises(CannotLook, match="not asked to load shiny"):
        check.look(doctored(good(), f"{APP}.loads", ()))


def test_a_package_that_apps_cannot_find_is_named_so() -> None:
    seen = doctored(good(), f"{APP}.packages", ())
    look = all_checks(full_plan())["correct.r.package.shiny"].look(seen)
    assert (look.ok, look.actual) == (False, "not installed, as seen by shiny")


def test_a_value_without_a_hash_is_never_taken_for_the_planned_one() -> None:
    check = all_checks(full_plan())["correct.environment.OMP_NUM_THREADS.app"]
    for hidden in ("<redacted>", "<not taken: 1-8 characters>"):
        seen = doctored(good(), f"{APP}.environment.OMP_NUM_THREADS", hidden)
        with pytest.raises(CannotLook, match="could not be compared"):
            check.look(seen)


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "Zulu"])
def test_utc_has_many_names(name: str) -> None:
    plan = shiny_plan()
    system = plan.system.model_copy(update={"timezone": "Etc/UTC"})
    check = all_checks(plan.model_copy(update={"system": system}))["correct.timezone.login"]
    assert check.look(doctored(good(), f"{LOGIN}.timezone", name)).ok
    assert not check.look(good()).ok


def test_the_reference_blas_is_told_from_others() -> None:
    check = all_checks(shiny_plan())["correct.r.blas.login"]
    assert not check.look(good()).ok
    reference = doctored(good(), f"{LOGIN}.external_software.BLAS", "/usr/lib/blas/libblas.so.3.11")
    assert check.look(reference).ok


def test_without_shiny_nothing_is_asked_of_shiny() -> None:
    plan = full_plan().model_copy(update={"services": plain_plan().services, "apps": ()})
    checks = all_checks(plan)
    assert not [name for name in checks if "shiny-server" in name or name.endswith(".app")]
    assert not list(up.live_checks(placed(plan)))
    assert not list(snappy.live_checks(placed(plan)))
    strange = checks["safe.ports"].look(good())
    assert "3838" in strange.actual


def test_without_r_nothing_is_asked_of_r() -> None:
    assert not [name for name in all_checks(plain_plan()) if ".r." in name]


def every_check() -> Iterator[Check[Seen]]:
    yield from all_checks(full_plan()).values()


def test_each_check_says_what_it_expects_why_and_how_to_mend_it() -> None:
    for check in every_check():
        assert check.goal in Goal
        assert check.id.startswith(f"{check.goal}.")
        assert check.title
        assert check.expected
        assert check.why, check.id
        assert check.fix, check.id
        assert not check.why.endswith("."), check.why
        assert not check.disturbs, check.id
