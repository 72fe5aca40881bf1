"""The services of systemd: whether they run, start with the machine, and restart."""

import re

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import WORDS, Shape
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.facts.subjects.machine import whole_number
from sandbox.probe.frame import Section
from sandbox.probe.readers import IDS, MalformedError, name, plain, whole, word

_SERVICES = re.compile(
    r"(shiny-server|rstudio-.+|ssh|sshd|nginx|apache2|httpd|caddy|haproxy|postgresql|mysql|mariadb"
    r"|redis-server|cron|crond|docker|plumber.*|opencpu|jupyter.*)\.service"
)

_LOADED = ("loaded", "not-found", "bad-setting", "error", "masked", "merged", "stub")
_ACTIVE = (
    "active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance",
    "refreshing",
)  # fmt: skip
_RESTART = (
    "no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always",
)  # fmt: skip
_SERVICE_KEYS = ("Id", "LoadState", "ActiveState", "SubState", "Restart", "MainPID")


class SystemService(FactsModel):
    """A systemd service unit."""

    name: str
    """`shiny-server.service`"""
    load: str
    """loaded, not-found, masked"""
    active: str
    """active, inactive, failed, activating"""
    sub: str
    """running, exited, dead"""
    enabled: str
    """enabled, disabled, static, masked; empty when there is no unit file"""
    restart: str
    """no, always, on-failure"""
    main_pid: int | None


class SystemServices(ListPart[SystemService]):
    """Those that systemd knows."""

    def named(self, name: str) -> SystemService | None:
        """Find a unit by name, with or without `.service`."""
        full = name if "." in name else f"{name}.service"
        return next((one for one in self if one.name == full), None)


def _check(section: Section) -> None:
    """What `systemctl show` says of each unit, an empty line between two."""
    for block in section.text.split("\n\n"):
        values: dict[str, str] = {}
        for line in block.splitlines():
            key, equals, value = line.partition("=")
            if not equals or key in values or key not in (*_SERVICE_KEYS, "UnitFileState"):
                raise MalformedError("Name=value of a unit")
            values[key] = plain(value, "Name=value of a unit")
        if not values:
            continue
        if missing := [key for key in _SERVICE_KEYS if key not in values]:
            raise MalformedError(f"a unit without {missing[0]}")
        name(values["Id"], "a unit's Id")
        name(values["SubState"], "a unit's SubState", pattern=WORDS)
        word(values["LoadState"], "a unit's LoadState", of=_LOADED)
        word(values["ActiveState"], "a unit's ActiveState", of=_ACTIVE)
        word(values["Restart"], "a unit's Restart", of=_RESTART)
        whole(values["MainPID"], "a unit's MainPID", within=IDS)
        if state := values.get("UnitFileState"):
            name(state, "a unit's UnitFileState", pattern=WORDS)


def _parse(answer: ProbeAnswer) -> SystemServices | None:
    section = answer.first("services")
    if section is None:
        return None
    found: dict[str, SystemService] = {}
    for block in section.text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        name = values.get("Id", "")
        if not name or values.get("LoadState") == "not-found":
            continue
        pid = whole_number(values.get("MainPID"))
        found[name] = SystemService(
            name=name,
            load=values.get("LoadState", ""),
            active=values.get("ActiveState", ""),
            sub=values.get("SubState", ""),
            enabled=values.get("UnitFileState", ""),
            restart=values.get("Restart", ""),
            main_pid=pid or None,
        )
    return SystemServices(tuple(found[name] for name in sorted(found)))


def matters(unit: str) -> bool:
    """Tell whether a service matters to R's people."""
    return _SERVICES.fullmatch(unit) is not None


def _read(facts: Facts) -> Reading:
    """Services that matter to R's people: whether they run, start with the machine, and restart."""
    found = facts.get(SystemServices)
    if found is None:
        raise CannotReadError("there is no systemd")
    return {
        one.name.removesuffix(".service"): f"{one.active}, {one.enabled or 'no unit file'}, "
        f"restart {one.restart or 'no'}"
        for one in found
        if matters(one.name)
    }


_TAKES = (
    "=unit: [A-Za-z][a-z]*[0-9]{0,2}([._-][A-Za-z]+[0-9]{0,2})*(@([a-z]{2,10}[0-9]{0,3}"
    "|[0-9]{1,6})?)?[.](service|socket|timer|target|slice|mount)\n"
    "=unit_state: (loaded|not-found|bad-setting|error|masked|merged|stub|active"
    "|inactive|failed|activating|deactivating|reloading|maintenance|refreshing|running"
    "|exited|dead|start|stop|stop-sigterm|auto-restart|waiting|listening|mounted"
    "|plugged|elapsed|condition|start-pre|start-post|reload|final-sigterm|cleaning"
    "|enabled|disabled|static|indirect|enabled-runtime|masked-runtime|linked"
    "|linked-runtime|alias|generated|transient|bad|no|always|on-success|on-failure"
    "|on-abnormal|on-abort|on-watchdog)\n"
)
SERVICES = Subject(
    name="services",
    rank=80,
    takes=_TAKES,
    part=SystemServices,
    sections={"services": Shape(_check)},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "service",
            Consequence.BEHAVIOUR,
            40,
            title="a service",
            how="exact",
            why="one that does not start with the machine is missed after the next reboot",
            bug="rstudio/rstudio/issues/15749",
            read=_read,
        ),
    ),
)
