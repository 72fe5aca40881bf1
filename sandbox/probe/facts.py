"""Facts: the probe's answer, one schema for a sandbox and for production alike.

Frozen, and round-trips through JSON. Three kinds of "nothing" are kept apart: `None` means it was
not seen (and `not_seen` says why), an empty tuple means that there is none, `Limit.soft = None`
means unlimited. A value that is not known to be harmless never gets this far: the probe puts a
placeholder there, on the machine itself (untaken.py).
"""

from typing import Final, Literal

from pydantic import Field

from sandbox.probe.facts_base import FactsModel
from sandbox.probe.facts_setup import (
    CaBundle,
    ConfigFile,
    LinkedLibrary,
    Manager,
    OdbcDriver,
    ShinyServer,
    SystemPackage,
    Tool,
    UnitSettings,
    UserPackage,
)

FORMAT: Final = 4
"""Of the schema. 1 had no tools, drivers, fonts, configuration files and sources of packages; 2 had
`<redacted>` for what looked like a secret, and all the rest as it was; 3 had options without their
types."""


class NotSeen(FactsModel):
    """Something that could not be read."""

    what: str
    why: str


class ProbeRun(FactsModel):
    """How these facts were taken."""

    user: str
    """The account the probe ran as."""
    privileged: bool
    """Whether it was root, or could become root by `sudo -n`."""
    taken_at: str
    """UTC, ISO 8601, by the machine's own clock."""


class Identity(FactsModel):
    """What makes this machine this one; kept apart, because it must differ between two machines."""

    hostname: str
    machine_id: str | None = None
    ssh_host_keys: tuple[str, ...] = ()
    """Fingerprints, `ssh-ed25519 SHA256:…`, sorted."""


class Os(FactsModel):
    """The operating system, by /etc/os-release and uname."""

    id: str
    """`debian`"""
    version: str
    """VERSION_ID: `12`"""
    codename: str
    """`bookworm`"""
    name: str
    """PRETTY_NAME"""
    kernel: str
    arch: str
    """As uname says: `x86_64`"""
    virtualization: str | None = None
    """As systemd-detect-virt says: `lxc`, `kvm`, `oracle`, `none`."""
    libc: str | None = None
    """`glibc 2.36`"""
    selinux: str | None = None
    """Enforcing, Permissive, Disabled; None where there is none."""


class SystemLocale(FactsModel):
    """The locale that logins are given."""

    settings: dict[str, str]
    """/etc/default/locale (or /etc/locale.conf): LANG, LC_…"""
    available: tuple[str, ...] | None
    """`locale -a`, sorted."""


class Timezone(FactsModel):
    """The system's timezone."""

    name: str | None
    """From /etc/localtime's target, else /etc/timezone."""
    localtime_target: str | None
    """What /etc/localtime points to; None when it is a plain file or absent."""
    localtime_is_symlink: bool
    etc_timezone: str | None


class Machine(FactsModel):
    """The size of the machine, as its own programs see it."""

    cpus: int | None
    memory_mb: int | None
    disk_mb: int | None
    """Size of the file system of /."""
    disk_free_mb: int | None
    tmp_mount_options: tuple[str, ...] | None
    """Of the mount that holds /tmp: `noexec` breaks package installs and callr."""


class Limit(FactsModel):
    """A resource limit; None is unlimited."""

    soft: int | None
    hard: int | None


class Limits(FactsModel):
    """Resource limits of one process."""

    nofile: Limit | None = None
    nproc: Limit | None = None


class L10n(FactsModel):
    """R's l10n_info()."""

    multibyte: bool
    utf8: bool
    latin1: bool
    codeset: str | None = None


class RPackage(FactsModel):
    """One installed R package, in one library."""

    name: str
    version: str
    library: str
    built: str
    """The R version it was built under."""
    priority: str | None = None
    """`base` or `recommended` for those of R itself."""
    repository: str | None = None
    """Where it came from, as its DESCRIPTION says: `CRAN`, a URL."""
    remote: str | None = None
    """Of one that was not from a repository: `github:tidyverse/dplyr@<sha>`."""
    needs: tuple[str, ...] = ()
    """Packages that it imports, depends on or links to."""


class Graphics(FactsModel):
    """Whether a plot can be drawn, found out by drawing."""

    png_written: bool
    """png(type = "cairo") wrote a non-empty file."""
    real_glyphs: bool | None
    """"Ab" and "Xy" give different images; False means that no font is found (boxes are drawn)."""
    error: str | None = None
    """R's own words when drawing failed."""
    picture: str | None = None
    """MD5 of the picture of "Ab": the same font, drawn by the same libraries, gives the same."""


class PackageLoad(FactsModel):
    """An attempt to load one R package, in an R process of this view."""

    name: str
    ok: bool
    version: str | None = None
    error: str | None = None
    """R's own words."""


Viewer = Literal["login", "shiny", "rstudio"]
"""Who runs R: each gets it on a road of its own."""


class RView(FactsModel):
    """R as one kind of process sees it."""

    seen_by: Viewer
    """A login, an app inside Shiny Server, or a session of RStudio Server."""
    how: Literal["login", "worker", "replay"]
    """`worker`: with the environment and limits of a live app's or session's process; `replay`:
    started on the road that Shiny Server takes."""
    user: str
    working_dir: str
    version_string: str
    """R.version.string"""
    version: str
    """`4.2.2`"""
    home: str
    """R.home()"""
    locale: dict[str, str]
    """Sys.getlocale() by category: LC_CTYPE, LC_COLLATE, LC_TIME, LC_NUMERIC, LC_MONETARY, …"""
    l10n: L10n
    timezone: str | None
    """Sys.timezone(); None when R answers NA."""
    tz_variable: str | None
    """TZ; None when it is not set."""
    environment: dict[str, str]
    """Sys.getenv(), secrets redacted. Of an app, without what Shiny Server's adapter sets inside R
    (SHINY_…, WORKER_ID, RSTUDIO_PANDOC, LOG_FILE); of a `replay`, also without the XDG_… of a
    systemd session."""
    environment_files: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Personal files (~/.Renviron) that R reads here, and the names of what each sets."""
    capabilities: dict[str, bool | None]
    external_software: dict[str, str]
    """extSoftVersion(): BLAS, PCRE, ICU, …"""
    la_library: str
    la_version: str
    rng_kind: tuple[str, ...]
    repos: dict[str, str]
    """options("repos")"""
    options: dict[str, str]
    """The other options, each as the R code that makes its value (r_value.py): `7L`, `"1e9"`,
    `c("contr.sum", "contr.poly")`; `<environment>` of what no code makes."""
    lib_paths: tuple[str, ...]
    packages: tuple[RPackage, ...]
    umask: str
    """`0022`"""
    limits: Limits
    tempdir: str
    tempdir_exec: bool | None
    """Whether a script in tempdir() can be executed."""
    sort_probe: tuple[str, ...]
    """sort(c("b", "A", "a", "B")): tells collations apart."""
    graphics: Graphics
    loads: tuple[PackageLoad, ...] = ()
    """Only of the packages the caller asked for."""
    startup_output: str = ""
    """What was said before R's first command: by the profile of the login shell, by Rprofile.site,
    about locales."""
    startup_error: str | None = None
    """Set when R does not start with its site files; the view was then taken without them."""
    profile_skipped: str | None = None
    """A personal .Rprofile that R would read here, and the probe does not."""
    programs: dict[str, str] = Field(default_factory=dict)
    """Sys.which() of programs that R packages call, those found."""

    def package(self, name: str) -> RPackage | None:
        """The package that `library(name)` would load: the first in the order of the libraries."""
        found = {one.library: one for one in self.packages if one.name == name}
        return next((found[path] for path in self.lib_paths if path in found), None)


class UnresolvedObject(FactsModel):
    """A shared object of R or of an R package whose libraries are not all found."""

    path: str
    missing: tuple[str, ...]
    """`libicuuc.so.66`"""


class RInstallation(FactsModel):
    """One R."""

    home: str
    version: str | None
    """By its base package, so also of an R that does not start; then it has no views."""
    found_as: tuple[str, ...]
    """The programs or folders that led here: `/usr/bin/R`, `/opt/R/4.4.1`."""
    on_path: bool
    """It is what `R` means to a login."""
    views: tuple[RView, ...] = ()

    def view(self, seen_by: Viewer) -> RView | None:
        """How a login, an app or a session sees this R."""
        return next((view for view in self.views if view.seen_by == seen_by), None)


class Service(FactsModel):
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


class ListeningPort(FactsModel):
    """A socket that waits for others."""

    protocol: Literal["tcp", "udp"]
    address: str
    """`0.0.0.0`, `127.0.0.1`, `::`, `fe80::1%eth0`"""
    port: int
    process: str | None
    """None when not seen (needs root)."""
    pid: int | None

    @property
    def loopback(self) -> bool:
        """Whether only this machine itself can connect."""
        address = self.address.removeprefix("::ffff:")
        return address.startswith("127.") or address == "::1"


class Account(FactsModel):
    """A user: people, root, those that run the servers, and any whose password is set or empty."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    groups: tuple[str, ...]
    password: Literal["set", "locked", "empty", "unknown"]
    """`unknown` without root."""
    sudo: bool | None
    """Whether sudo lets them run commands as root; None without root."""


class AuthorizedKey(FactsModel):
    """A key that may log in."""

    user: str
    type: str
    fingerprint: str
    """`SHA256:…`"""
    comment: str
    vagrant_insecure: bool
    """The key whose private half everyone has."""


class SshDaemon(FactsModel):
    """The effective settings of sshd."""

    password_authentication: bool
    permit_root_login: str
    """yes, no, prohibit-password (older sshd: without-password), forced-commands-only"""
    permit_empty_passwords: bool
    kbd_interactive_authentication: bool
    ports: tuple[int, ...]


class Facts(FactsModel):
    """What a machine is."""

    format: Literal[4] = FORMAT
    probe: ProbeRun
    identity: Identity
    os: Os
    locale: SystemLocale
    timezone: Timezone
    machine: Machine
    r: tuple[RInstallation, ...]
    """Every R found; the one on the PATH first."""
    unresolved_objects: tuple[UnresolvedObject, ...] | None
    services: tuple[Service, ...] | None
    """None without systemd."""
    ports: tuple[ListeningPort, ...] | None
    users: tuple[Account, ...]
    authorized_keys: tuple[AuthorizedKey, ...] | None
    sshd: SshDaemon | None
    shiny_server: ShinyServer | None
    system_packages: tuple[SystemPackage, ...] | None
    """None where there is neither dpkg nor rpm."""
    package_manager: Manager | None = None
    tools: tuple[Tool, ...] | None = None
    odbc_drivers: tuple[OdbcDriver, ...] | None = None
    """None where there is no odbcinst.ini."""
    fonts: tuple[str, ...] | None = None
    """File names of the fonts in the system's folders, sorted; None where there is no folder."""
    ca_bundle: CaBundle | None = None
    configs: tuple[ConfigFile, ...] = ()
    """Of R, RStudio Server, Shiny Server, Connect and the environment."""
    units: tuple[UnitSettings, ...] | None = None
    """Of the services that run R for people; None without systemd."""
    user_libraries: tuple[UserPackage, ...] = ()
    """R packages in people's own libraries, as far as they could be read."""
    linked_libraries: tuple[LinkedLibrary, ...] | None = None
    not_seen: tuple[NotSeen, ...] = ()
    hash_key: str | None = None
    """Which key the hashes in placeholders were made with (untaken.py); None: there are none."""

    def service(self, name: str) -> Service | None:
        """A unit by name, with or without `.service`."""
        full = name if "." in name else f"{name}.service"
        return next((one for one in self.services or () if one.name == full), None)

    def r_view(self, seen_by: Viewer) -> RView | None:
        """How a login, or an app inside Shiny Server, sees the R it gets."""
        views = (installation.view(seen_by) for installation in self.r)
        return next((view for view in views if view is not None), None)
