"""Reading the machine's facts into values that can be compared."""

import re
from collections.abc import Callable, Iterator

from sandbox.fidelity.compare import Value
from sandbox.fidelity.kind import CannotReadError, NotThereError, Reading
from sandbox.fidelity.r_readings import normal_locale, normal_zone
from sandbox.probe.facts import Account, Facts
from sandbox.probe.facts_setup import ConfigFile

_PEOPLE = range(1000, 60000)
_SERVICES = re.compile(
    r"(shiny-server|rstudio-.+|ssh|sshd|nginx|apache2|httpd|caddy|haproxy|postgresql|mysql|mariadb"
    r"|redis-server|cron|crond|docker|plumber.*|opencpu|jupyter.*)\.service"
)
# What the kernel and systemd work out for themselves from the size of the machine
_DERIVED = ("TasksMax", "LimitNPROC", "FragmentPath", "MemoryMax")
_MOUNT_OPTIONS = ("noexec", "nosuid", "nodev", "ro")
# What boots and drives a machine of metal, or a virtual one, and a container does without
_BOOTING = re.compile(
    r"linux-(image|headers|modules|base|firmware).*|kernel.*|grub.*|shim.*|extlinux|syslinux.*"
    r"|initramfs-tools.*|dracut.*|efibootmgr|os-prober|cloud-.*|qemu-guest-agent|open-vm-tools"
    r"|virtualbox-guest.*|udev|dmsetup|lvm2|mdadm|parted|e2fsprogs|logsave|kmod|libkmod.*|cryptsetup.*"
    r"|intel-microcode|amd64-microcode|firmware-.*|ifupdown.*|isc-dhcp-.*|dhcpcd.*|klibc.*|busybox|zstd"
    r"|acpid|irqbalance|network-manager|netplan.*|cloud-guest-utils|fdisk|gdisk|locales-all"
)
# Told by kinds of their own, or of no effect on R
_ELSEWHERE = re.compile(r"r-(cran|bioc|omegahat|other)-.*|fonts-.+|libgcc-s1|gcc-\d+-base")
_SITE_FILES = ("Rprofile.site", "Renviron.site", "Renviron")


def release(facts: Facts) -> Reading:
    """The distribution and its release."""
    return {"": f"{facts.os.id} {facts.os.version}".strip()}


def arch(facts: Facts) -> Reading:
    """The processor's architecture."""
    return {"": facts.os.arch}


def kernel(facts: Facts) -> Reading:
    """The kernel's version."""
    return {"": facts.os.kernel}


def virtualization(facts: Facts) -> Reading:
    """What the machine runs in."""
    return {"": facts.os.virtualization} if facts.os.virtualization else {}


def libc(facts: Facts) -> Reading:
    """The C library."""
    return {"": facts.os.libc} if facts.os.libc else {}


def selinux(facts: Facts) -> Reading:
    """SELinux's mode; a machine without it is like one where it is off."""
    return {"": (facts.os.selinux or "off").lower().replace("disabled", "off")}


def locale(facts: Facts) -> Reading:
    """LANG and LC_… that logins and servers are given."""
    return {
        name: normal_locale(value)
        for name, value in facts.locale.settings.items()
        if name == "LANG" or name.startswith("LC_")
    }


def timezone(facts: Facts) -> Reading:
    """The system's timezone."""
    if facts.timezone.name is None:
        return {"": "not set"}
    link = "" if facts.timezone.localtime_is_symlink else " (R cannot tell: no symbolic link)"
    return {"": f"{normal_zone(facts.timezone.name)}{link}"}


def r_versions(facts: Facts) -> Reading:
    """Every R on the machine."""
    return {"": frozenset(one.version or "unknown" for one in facts.r)}


def broken_objects(facts: Facts) -> Reading:
    """Shared objects of R whose libraries are not found."""
    if facts.unresolved_objects is None:
        raise _without_r(facts)
    return {
        "": frozenset(f"{one.path}: {', '.join(one.missing)}" for one in facts.unresolved_objects)
    }


def user_libraries(facts: Facts) -> Reading:
    """R packages in people's own libraries; who they are does not count."""
    return {"": frozenset(f"{one.name} {one.version}" for one in facts.user_libraries)}


def linked(facts: Facts) -> Reading:
    """The system packages whose libraries R and its packages are linked to."""
    if facts.linked_libraries is None:
        raise _without_r(facts)
    return {
        one.package: one.version or ""
        for one in facts.linked_libraries
        if one.package and not _ELSEWHERE.fullmatch(one.package)
    }


def own_libraries(facts: Facts) -> Reading:
    """Libraries that R is linked to and no package brought: built by hand."""
    if facts.linked_libraries is None:
        raise _without_r(facts)
    paths = (one.path for one in facts.linked_libraries if one.package is None)
    return {
        "": frozenset(path for path in paths if not path.startswith(("/opt/R/", "/usr/lib/R/")))
    }


def _without_r(facts: Facts) -> Exception:
    """Why nothing is known of libraries and of what R itself would tell."""
    if not facts.r:
        return NotThereError("there is no R")
    reasons = (one.why for one in facts.not_seen if one.what.startswith("libraries of R's"))
    return CannotReadError(next(reasons, "no R could be asked"))


def tmp_options(facts: Facts) -> Reading:
    """What the mount that holds /tmp forbids."""
    options = facts.machine.tmp_mount_options
    if options is None:
        raise CannotReadError("the mounts could not be read")
    return {"": frozenset(option for option in options if option in _MOUNT_OPTIONS)}


def fonts(facts: Facts) -> Reading:
    """Font files."""
    return {"": frozenset(facts.fonts or ())}


def tools(facts: Facts) -> Reading:
    """Programs that packages call, with their versions."""
    if facts.tools is None:
        raise CannotReadError("these facts are of an older probe")
    return {one.name: one.version or "unknown" for one in facts.tools}


def odbc(facts: Facts) -> Reading:
    """ODBC drivers."""
    words = {True: "", False: " (the file is not there)", None: ""}
    return {
        one.name: f"{one.library}{words[one.library_found]}" for one in facts.odbc_drivers or ()
    }


def certificates(facts: Facts) -> Reading:
    """The certificates that programs trust, and those added by hand."""
    bundle = facts.ca_bundle
    if bundle is None:
        return {"trusted": "none"}
    found: dict[str, Value] = {"added here": frozenset(bundle.local)}
    if bundle.sha256:
        found["trusted"] = f"{bundle.certificates} ({bundle.sha256[:12]})"
    return found


def cpus(facts: Facts) -> Reading:
    """Processors."""
    return _number(facts.machine.cpus)


def memory(facts: Facts) -> Reading:
    """Memory, in MB."""
    for one in facts.not_seen:
        if one.what == "memory":
            raise CannotReadError(one.why)
    return _number(facts.machine.memory_mb)


def disk(facts: Facts) -> Reading:
    """The size of the file system of /, in MB."""
    return _number(facts.machine.disk_mb)


def _number(value: int | None) -> Reading:
    if value is None:
        raise CannotReadError("it could not be measured")
    return {"": float(value)}


def services(facts: Facts) -> Reading:
    """Services that matter to R's people: whether they run, start with the machine, and restart."""
    if facts.services is None:
        raise CannotReadError("there is no systemd")
    return {
        one.name.removesuffix(".service"): f"{one.active}, {one.enabled or 'no unit file'}, "
        f"restart {one.restart or 'no'}"
        for one in facts.services
        if _SERVICES.fullmatch(one.name)
    }


def units(facts: Facts) -> Reading:
    """What the units of R's servers set."""
    return {
        f"{unit.name.removesuffix('.service')}.{key}": value
        for unit in facts.units or ()
        for key, value in unit.settings.items()
        if key not in _DERIVED
    }


def ports(facts: Facts) -> Reading:
    """TCP ports that others can reach."""
    if facts.ports is None:
        raise CannotReadError("the sockets could not be read")
    found = (one for one in facts.ports if one.protocol == "tcp" and not one.loopback)
    return {"": frozenset(str(one.port) for one in found)}


def ssh_daemon(facts: Facts) -> Reading:
    """How sshd lets people in."""
    if facts.sshd is None:
        raise CannotReadError(_why(facts, "sshd settings") or "there is no sshd")
    return {
        "passwords": "yes" if facts.sshd.password_authentication else "no",
        "root": facts.sshd.permit_root_login.replace("without-password", "prohibit-password"),
        "empty passwords": "yes" if facts.sshd.permit_empty_passwords else "no",
    }


def passwords(facts: Facts) -> Reading:
    """People whose password opens the machine, by how it stands, not by who they are."""
    states = [one.password for one in _people(facts)]
    if "unknown" in states:
        raise CannotReadError(_why(facts, "passwords") or "passwords were not seen")
    return {"": frozenset(state for state in states if state in ("set", "empty"))}


def run_as(facts: Facts) -> Reading:
    """The account that Shiny apps run as."""
    if facts.shiny_server is None:
        return {}
    return {"": ", ".join(facts.shiny_server.run_as) or "shiny"}


def _people(facts: Facts) -> Iterator[Account]:
    return (one for one in facts.users if one.uid in _PEOPLE and one.name != facts.probe.user)


def _why(facts: Facts, what: str) -> str:
    return next((one.why for one in facts.not_seen if what in one.what), "")


def servers(facts: Facts) -> Reading:
    """R's servers and their versions."""
    found: dict[str, Value] = {}
    if facts.shiny_server is not None:
        found["shiny-server"] = facts.shiny_server.version or "unknown"
    for one in facts.system_packages or ():
        if one.name.startswith("rstudio-"):
            found[one.name] = one.version
    return found


def system_packages(facts: Facts) -> Reading:
    """Packages of the distribution, without what boots a machine and what other kinds tell."""
    return _packages(facts, lambda name: not _BOOTING.fullmatch(name))


def booting(facts: Facts) -> Reading:
    """Packages that boot and drive a machine, which a container does without."""
    names = frozenset(_packages(facts, lambda name: _BOOTING.fullmatch(name) is not None))
    return {"": names}


def _packages(facts: Facts, wanted: Callable[[str], bool]) -> Reading:
    if facts.system_packages is None:
        raise CannotReadError(_why(facts, "system packages") or "they were not listed")
    told = {one.package for one in facts.linked_libraries or () if one.package}
    return {
        one.name: one.version
        for one in facts.system_packages
        if wanted(one.name) and one.name not in told and not _ELSEWHERE.fullmatch(one.name)
    }


def site_files(facts: Facts) -> Reading:
    """Rprofile.site and Renviron.site of the R that people get, as sets of lines."""
    view = facts.r_view("login") or facts.r_view("shiny")
    if view is None:
        raise _without_r(facts)
    return {
        config.path.rpartition("/")[2]: frozenset(_lines(config))
        for config in facts.configs
        if config.path.endswith(_SITE_FILES) and config.path.startswith(f"{view.home}/")
    }


def configurations(facts: Facts) -> Reading:
    """Configuration files of servers, and what logins are given."""
    return {
        config.path: frozenset(_lines(config))
        for config in facts.configs
        if not config.path.endswith(_SITE_FILES)
    }


def _lines(config: ConfigFile) -> Iterator[str]:
    for key, value in config.settings.items():
        # Of code, a line's number says nothing
        yield value.strip() if re.fullmatch(r"line \d+", key) else f"{key} = {value}"
