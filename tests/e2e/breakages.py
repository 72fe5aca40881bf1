"""Ways to break a machine made from boxes/shiny.yml by hand, and the checks that must notice.

Each is a piece of shell, run as root on the machine, and another that takes it back.
"""

from dataclasses import dataclass

from sandbox.checks.results import Goal

# Vagrant's published key: its private half is in everybody's Vagrant
_VAGRANT_KEY = (
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHz"
    "D8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSI"
    "Fo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmC"
    "P3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRd"
    "K8jlqm8tehUc9c9WhQ=="
    " vagrant insecure public key"
)
_APP_CHECKS = (
    "up.page.",
    "up.session.",
    "up.restart.",
    "snappy.warm-page.",
    "snappy.first-page.",
)
"""What cannot be well when Shiny Server or its apps do not answer."""


# A running app keeps the environment and limits that it was started with, and outlives the server
# for a while; and whoever looks next should not find a server that is still starting
_RESTART = (
    "systemctl restart shiny-server && { pkill -KILL -x R || true; }"
    " && for try in $(seq 100); do"
    " if ss -Hltn sport = :3838 | grep -q .; then break; fi; sleep 0.1; done"
)
_PROFILE = "/etc/profile.d/zz-breakage.sh"


@dataclass(frozen=True)
class Breakage:
    """One way to break the machine."""

    name: str
    breaks: str
    mends: str
    caught_by: tuple[str, ...]
    """Ids of the checks that must not pass."""
    may_also: tuple[str, ...] = ()
    """Beginnings of the ids of others that may not pass then; all the rest must."""

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The goals to check: those that the breakage is about."""
        return tuple(goal for goal in Goal if any(one.startswith(goal) for one in self.caught_by))

    @property
    def restarts(self) -> bool:
        """Whether Shiny Server must start again for it to be there."""
        return _RESTART in self.breaks

    @property
    def quick(self) -> bool:
        """Whether the checks that end processes can be left out."""
        return not any(one.startswith(("up.restart.", "snappy.first")) for one in self.caught_by)


def both(prefix: str) -> tuple[str, str]:
    """The check of a login and of an app."""
    return f"{prefix}.login", f"{prefix}.app"


def _edited(path: str, change: str, *, after: str = "true") -> tuple[str, str]:
    """Shell that changes a file and keeps the original, and shell that puts the original back."""
    kept = f"{path}.before-breakage"
    return (
        f"cp -a {path} {kept} && {change} && {after}",
        f"if [ -e {kept} ]; then mv {kept} {path}; fi && {after}",
    )


def _line_in_rprofile(line: str) -> tuple[str, str]:
    return _edited("/etc/R/Rprofile.site", f"echo '{line}' >> /etc/R/Rprofile.site")


# The app's folder is a link to a release, and a new time on restart.txt ends its running R process
_SITE = "/srv/shiny-server/faithful"
_BROKEN_SERVER = (
    'library(shiny); shinyApp(fluidPage(textOutput("x")), function(input, output) stop("no"))'
)

SERVICES = (
    Breakage(
        "Shiny Server is stopped",
        "systemctl stop shiny-server",
        "systemctl start shiny-server",
        ("up.service.shiny-server", "up.page.faithful", "up.session.faithful"),
        # Debian's unit counts its own stop as a failure
        ("up.system", "safe.port.3838", *_APP_CHECKS),
    ),
    Breakage(
        "Shiny Server is masked",
        "systemctl mask --now shiny-server",
        "systemctl unmask shiny-server && systemctl enable --now shiny-server",
        ("up.service.shiny-server", "up.enabled.shiny-server", "up.page.faithful"),
        ("up.system", "safe.port.3838", *_APP_CHECKS),
    ),
    Breakage(
        "Shiny Server does not start with the machine",
        "systemctl disable shiny-server",
        "systemctl enable shiny-server",
        ("up.enabled.shiny-server",),
    ),
    Breakage(
        "Shiny Server stays down after a crash",
        "printf '[Service]\\nRestart=no\\n'"
        " > /etc/systemd/system/shiny-server.service.d/zz-breakage.conf && systemctl daemon-reload",
        "rm -f /etc/systemd/system/shiny-server.service.d/zz-breakage.conf"
        " && systemctl daemon-reload && systemctl start shiny-server",
        ("up.restart.shiny-server",),
    ),
    Breakage(
        "another unit has failed",
        "systemd-run --quiet --unit=breakage-failed false; sleep 1",
        "systemctl reset-failed breakage-failed.service",
        ("up.system",),
    ),
    Breakage(
        "the app's server function fails",
        # Broken together with others, the app may be somewhere else already
        f"{{ [ ! -e {_SITE} ] || mv {_SITE} {_SITE}.before-breakage; }} && mkdir {_SITE}"
        f" && echo '{_BROKEN_SERVER}' > {_SITE}/app.R",
        f"rm -rf {_SITE} && mv {_SITE}.before-breakage {_SITE} && touch {_SITE}/restart.txt",
        ("up.session.faithful",),
    ),
    Breakage(
        "the app is not where it was",
        f"mv {_SITE} /srv/breakage-app",
        f"mv /srv/breakage-app {_SITE}",
        ("up.page.faithful", "up.session.faithful"),
        _APP_CHECKS,
    ),
)

SAFETY = (
    Breakage(
        "a port is open to the network",
        "systemd-run --quiet --unit=breakage-port python3 -m http.server 4444 --bind 0.0.0.0;"
        " sleep 1",
        "systemctl stop breakage-port.service",
        ("safe.ports",),
    ),
    Breakage(
        "a port is open on the loopback address",
        "systemd-run --quiet --unit=breakage-port python3 -m http.server 4444 --bind 127.0.0.1;"
        " sleep 1",
        "systemctl stop breakage-port.service",
        ("safe.ports.loopback",),
    ),
    Breakage(
        "root has a password",
        "echo root:sandbox | chpasswd",
        "usermod --password '!' root",
        ("safe.passwords",),
    ),
    Breakage(
        "a service account has an empty password",
        "usermod --password '' games",
        "usermod --password '*' games",
        ("safe.passwords",),
    ),
    Breakage(
        "Vagrant's insecure key is authorized",
        "mkdir -p -m 700 /root/.ssh && touch /root/.ssh/authorized_keys"
        " && cp -a /root/.ssh/authorized_keys /root/.ssh/before-breakage"
        f" && echo '{_VAGRANT_KEY}' >> /root/.ssh/authorized_keys",
        "mv /root/.ssh/before-breakage /root/.ssh/authorized_keys",
        ("safe.keys.vagrant", "safe.keys"),
    ),
    Breakage(
        "an unplanned user can log in and become root",
        "useradd --create-home --shell /bin/bash --groups sudo mallory",
        "userdel --remove mallory 2>/dev/null; ! id mallory 2>/dev/null",
        ("safe.users", "safe.sudo"),
    ),
    Breakage(
        "a service account has a shell",
        "usermod --shell /bin/bash games",
        "usermod --shell /usr/sbin/nologin games",
        ("safe.users",),
    ),
    Breakage(
        "sshd takes passwords",
        "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/0-breakage.conf"
        " && systemctl reload ssh",
        "rm -f /etc/ssh/sshd_config.d/0-breakage.conf && systemctl reload ssh",
        ("safe.sshd.password",),
    ),
    Breakage(
        "anyone may change everybody's Rprofile.site",
        "chmod 666 /etc/R/Rprofile.site",
        "chmod 644 /etc/R/Rprofile.site",
        ("safe.files.writable",),
    ),
    Breakage(
        "a cookie key lies open",
        "mkdir -p /var/lib/rstudio-server && echo key > /var/lib/rstudio-server/secure-cookie-key"
        " && chmod 644 /var/lib/rstudio-server/secure-cookie-key",
        "rm -r /var/lib/rstudio-server",
        ("safe.files.cookie-key",),
    ),
    Breakage(
        "apps run as root",
        *_edited(
            "/etc/shiny-server/default.config",
            "sed -i 's/^run_as .*/run_as root;/' /etc/shiny-server/default.config",
            after=_RESTART,
        ),
        ("safe.shiny.user",),
        # Shiny Server refuses to start R that way in some places
        _APP_CHECKS,
    ),
)

SETTINGS = (
    Breakage(
        "the timezone is another",
        "cp -aP /etc/localtime /etc/localtime.before-breakage"
        " && ln -sfn /usr/share/zoneinfo/America/New_York /etc/localtime",
        "mv -T /etc/localtime.before-breakage /etc/localtime",
        ("correct.timezone",),
        ("correct.timezone.",),
    ),
    Breakage(
        "TZ is set to something else for everyone",
        f"echo 'export TZ=Asia/Tokyo' > {_PROFILE} && {_RESTART}",
        f"rm -f {_PROFILE} && {_RESTART}",
        both("correct.timezone"),
    ),
    Breakage(
        "the locale is another",
        *_edited("/etc/default/locale", "echo LANG=C.UTF-8 > /etc/default/locale", after=_RESTART),
        ("correct.locale", *both("correct.locale")),
    ),
    Breakage(
        "an environment variable is another",
        f"echo 'export OMP_NUM_THREADS=8' > {_PROFILE} && {_RESTART}",
        f"rm -f {_PROFILE} && {_RESTART}",
        both("correct.environment.OMP_NUM_THREADS"),
    ),
    Breakage(
        "limits are lower",
        *_edited(
            "/etc/security/limits.d/sandbox.conf",
            "sed -i 's/16384/1000/' /etc/security/limits.d/sandbox.conf",
            after=_RESTART,
        ),
        both("correct.limit.nofile"),
    ),
    Breakage(
        "an option in Rprofile.site is another",
        *_line_in_rprofile("options(digits = 3L)"),
        both("correct.r.option.digits"),
    ),
    Breakage(
        "random numbers are drawn the old way",
        *_line_in_rprofile('suppressWarnings(RNGkind(sample.kind = "Rounding"))'),
        both("correct.r.rng"),
    ),
    Breakage(
        "Rprofile.site has an error",
        *_line_in_rprofile('stop("a typo")'),
        both("correct.r.startup"),
        ("correct.r.", *_APP_CHECKS),
    ),
)

SOFTWARE = (
    Breakage(
        "an R package is removed",
        "dpkg --remove --force-depends r-cran-plumber",
        "apt-get -q -y --no-install-recommends install r-cran-plumber",
        ("correct.r.package.plumber", "correct.debian-packages"),
    ),
    Breakage(
        "a library under an R package is gone",
        'real=$(readlink -f /usr/lib/*/libuv.so.1) && echo "$real" > /var/tmp/breakage-path'
        ' && mv "$real" /var/tmp/breakage-library',
        'mv /var/tmp/breakage-library "$(cat /var/tmp/breakage-path)" && rm /var/tmp/breakage-path',
        ("correct.r.shared-objects", "correct.r.package.shiny"),
        # What loads shiny does not load either
        ("correct.r.package.", *_APP_CHECKS),
    ),
    Breakage(
        "the fonts are gone",
        "mv /usr/share/fonts /usr/share/fonts.before-breakage && fc-cache -f",
        "mv /usr/share/fonts.before-breakage /usr/share/fonts && fc-cache -f",
        both("correct.r.plot"),
    ),
    Breakage(
        "the BLAS is another",
        "apt-get -q -y --no-install-recommends install libblas3"
        " && triplet=$(basename /usr/lib/*-linux-gnu)"
        " && update-alternatives --set libblas.so.3-$triplet /usr/lib/$triplet/blas/libblas.so.3",
        "apt-get -q -y purge libblas3",
        both("correct.r.blas"),
    ),
    Breakage(
        "a second R is installed beside the first",
        "mkdir -p /opt/R/4.4.1 && cp -a /usr/lib/R /opt/R/4.4.1/lib-R && mkdir /opt/R/4.4.1/bin"
        " && cp /usr/bin/R /opt/R/4.4.1/bin/R"
        " && sed -i 's|^R_HOME_DIR=.*|R_HOME_DIR=/opt/R/4.4.1/lib-R|' /opt/R/4.4.1/bin/R",
        "rm -r /opt/R/4.4.1; rmdir /opt/R 2>/dev/null; true",
        ("correct.r.one",),
    ),
    Breakage(
        "programs may not run in /tmp",
        f"mount -t tmpfs -o noexec,mode=1777 tmpfs /tmp && {_RESTART}",
        f"umount -l /tmp && {_RESTART}",
        both("correct.r.tempdir"),
    ),
)

BREAKAGES = (*SERVICES, *SAFETY, *SETTINGS, *SOFTWARE)
