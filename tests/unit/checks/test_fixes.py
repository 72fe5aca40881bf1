"""What checks advise is a command as it can be typed, with the names of what was found."""

import re

import pytest

from sandbox.checks import fixes
from sandbox.facts.subjects.ports import Ports
from tests.unit.checks.samples import doctored, full_plan, good, stranger
from tests.unit.checks.test_seen_checks import APP, FACTS, LOGIN, all_checks, every_check
from tests.unit.factories import placed

PLACED = placed(full_plan())
UP, RESET = fixes.up_command(PLACED), fixes.reset_command(PLACED)
AS_ROOT = f"sandbox exec {PLACED.name} -- sudo "
PORTS = FACTS[Ports] or ()


def fix_of(check_id: str, path: str, value: object) -> str:
    check = all_checks(full_plan())[check_id]
    look = check.look(doctored(good(), path, value))
    assert not look.ok
    return look.fix or check.fix


FOUND: list[tuple[str, str, object, str]] = [
    (
        "up.system",
        "inspection.failed_units",
        ("cron.service",),
        f"{AS_ROOT}sh -c 'systemctl restart cron.service; sleep 2;"
        " systemctl reset-failed cron.service'",
    ),
    ("up.system", "inspection.failed_units", ("shiny-server.service",), UP),
    ("up.service.shiny-server", "facts.services.1.load", "masked", UP),
    ("up.enabled.ssh", "facts.services.0.enabled", "disabled", UP),
    ("safe.ports", "facts.ports", (*PORTS, stranger("0.0.0.0")), RESET),
    ("safe.port.3838", "facts.ports.1.process", "nc", RESET),
    ("safe.port.22", "facts.ports", PORTS[1:], UP),
    ("safe.passwords", "inspection.logins.0.password", "set", f"{AS_ROOT}passwd --lock root"),
    (
        "safe.users",
        "inspection.logins.1.shell",
        "/bin/bash",
        f"{AS_ROOT}usermod --shell /usr/sbin/nologin {good().inspection.logins[1].name}",
    ),
    (
        "safe.users",
        "inspection.logins.1.uid",
        0,
        f"{AS_ROOT}userdel --force {good().inspection.logins[1].name}",
    ),
    ("safe.sudo", "facts.users.2.sudo", True, RESET),
    ("safe.user.anna", "facts.users.2.sudo", True, RESET),
    ("safe.user.anna", "facts.users.2.groups", ("anna",), UP),
    ("safe.sshd.password", "facts.sshd.password_authentication", True, RESET),
    (
        "safe.files.cookie-key",
        "inspection.files.2.path",
        "/etc/rstudio/secure-cookie-key",
        f"{AS_ROOT}chmod 600 /etc/rstudio/secure-cookie-key",
    ),
    (
        "safe.files.writable",
        "inspection.files.1.owner",
        "shiny",
        f"{AS_ROOT}sh -c 'chmod go-w {{file}}; chown root {{file}}'".format(
            file=good().inspection.files[1].path
        ),
    ),
    ("correct.timezone", "facts.timezone.name", "Etc/UTC", UP),
    ("correct.locale", "facts.locale.settings.LC_TIME", "C", RESET),
    ("correct.locale", "facts.locale.settings", {}, UP),
    ("correct.debian-packages", "inspection.packages", {"r-base-core": "1"}, UP),
    ("correct.r.startup.login", f"{LOGIN}.startup_error", "Error", RESET),
    ("correct.r.rng.app", f"{APP}.rng_kind.2", "Rounding", RESET),
    ("correct.r.option.digits.app", f"{APP}.options.digits", "15", RESET),
]


@pytest.mark.parametrize(("check_id", "path", "value", "fix"), FOUND)
def test_what_was_found_decides_what_mends_it(
    check_id: str, path: str, value: object, fix: str
) -> None:
    assert fix_of(check_id, path, value) == fix


def test_no_advice_has_a_word_that_stands_for_another() -> None:
    for check in every_check():
        assert not re.search(r"\b(USER|NAME|PACKAGE|BOX|UNIT)\b", check.fix), check.id
        if check.fix.startswith("sandbox "):
            # One command, what it does in brackets
            assert "," not in check.fix.split(" (")[0], check.fix


def test_a_machine_made_anew_is_the_same_one() -> None:
    plan = PLACED.plan
    size = plan.machine
    assert fixes.make_again(PLACED) == (
        f"sandbox destroy {PLACED.name} && sandbox up {plan.box_path} --name {PLACED.name}"
        f" --cpus {size.cpus} --memory-mb {size.memory_mb} --disk-gb {size.disk_gb}"
    )
