"""Keys of the configuration files of RStudio Server, open source edition, and their versions.

Made from the options of the server and of the session in the project's sources, of two moments in
2024 and 2026, and from its bug reports. Names only. Where no version is known, none is given: a key
is then good for every version, and `rstudio-server check-config` decides where it exists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from sandbox.spec.rstudio_version import RstudioVersion


class Standing(StrEnum):
    """What a key is to the open source edition."""

    KNOWN = "known"
    WORKBENCH = "workbench"
    """Only Posit Workbench knows it."""
    INTERNAL = "internal"
    """The server gives it to its sessions itself; a configuration should not."""
    OURS = "ours"
    """A key of the box says it."""


@dataclass(frozen=True)
class RstudioKey:
    """One key of one file."""

    name: str
    standing: Standing = Standing.KNOWN
    first: RstudioVersion | None = None
    """The first version that knows it; None: not known."""
    last: RstudioVersion | None = None
    """The last version that knows it."""
    now: str = ""
    """What it is called in later versions, or the key of the box that says it."""
    many: bool = False
    """Whether it may stand in the file more than once."""


_SERVER: Final = """
server-working-dir server-user server-daemonize server-pid-file server-app-armor-enabled
server-set-umask secure-cookie-key-file server-data-dir
www-root-path www-local-path www-symbol-maps-path www-use-emulated-stack www-thread-pool-size
www-proxy-localhost www-verify-user-agent www-same-site www-frame-origin www-enable-origin-check
session-use-file-storage rsession-path rldpath-path rsession-ld-library-path rsession-config-file
rsession-proxy-max-wait-secs rsession-memory-limit-mb rsession-stack-limit-mb
rsession-process-limit database-config-file db-command
auth-none auth-validate-users auth-stay-signed-in-days auth-timeout-minutes auth-encrypt-password
auth-login-page-html auth-rdp-login-page-html auth-required-user-group auth-minimum-user-id
auth-pam-helper-path auth-pam-require-password-prompt auth-pam-requires-priv
auth-sign-in-throttle-seconds auth-revocation-list-dir auth-cookies-force-secure
monitor-interval-seconds
"""
_SERVER_MANY: Final = ("server-add-header", "www-allow-origin")
_SERVER_OURS: Final = {
    "www-port": "port",
    "www-address": "path",
    "rsession-which-r": "r",
}
"""Keys that are made from other keys of the box: said twice, the server does not start."""
_SERVER_INTERNAL: Final = ("verify-installation",)

_SESSION: Final = """
docs-url session-connections-block-suspend session-external-pointers-block-suspend
session-timeout-minutes session-timeout-suspend session-disconnected-timeout-minutes
session-preflight-script session-create-public-folder session-create-profile
session-rprofile-on-resume-default session-save-action-default session-default-working-dir
session-default-new-project-dir session-default-console-term session-default-clicolor-force
session-quit-child-processes-on-exit session-first-project-template-path session-port-range
session-ephemeral-env-vars session-suspend-on-incomplete-statement session-async-rpc-enabled
session-async-rpc-timeout-ms session-handle-offline-enabled session-handle-offline-timeout-ms
session-project-user-data-dir session-allow-project-user-data-dir-override
show-help-home show-user-identity default-rsconnect-server open-files
package-output-to-package-folder restrict-directory-view directory-view-allow-list
websocket-ping-seconds websocket-connect-timeout websocket-log-level websocket-handshake-timeout
allow-vcs-executable-edit allow-r-cran-repos-edit allow-vcs allow-package-installation allow-shell
allow-terminal-websockets allow-file-downloads allow-file-uploads allow-remove-public-folder
allow-rpubs-publish allow-external-publish allow-publish allow-presentation-commands allow-full-ui
allow-launcher-jobs allow-over-limit-sessions allow-pai abort-free-mem-percent
r-core-source r-modules-source r-session-package-archives r-libs-user r-cran-repos
r-cran-repos-file r-cran-repos-url r-auto-reload-source r-compatible-graphics-engine-version
r-resources-path r-doc-dir-override r-restore-workspace r-run-rprofile
limit-file-upload-size-mb limit-cpu-time-minutes limit-xfs-disk-quota
external-consoleio-path external-gnudiff-path external-gnugrep-path external-sumatra-path
external-winutils-path external-hunspell-dictionaries-path external-mathjax-path
external-pandoc-path external-quarto-path external-copilot-path external-node-path
external-winpty-path git-commit-large-file-size
copilot-enabled copilot-proxy-url copilot-auth-provider copilot-proxy-kerberos-service-principal
copilot-ssl-certificates-file copilot-proxy-strict-ssl copilot-helper
"""
_SESSION_INTERNAL: Final = """
run-automation run-tests run-script verify-installation version program-mode log-stderr standalone
verify-signatures terminal-port session-root-path session-use-secure-cookies session-same-site
session-use-file-storage r-session-library r-shell-escape r-home-dir-override
external-rpostback-path external-libclang-path user-identity project scope launcher-token
"""
_SESSION_INTERNAL_PREFIXES: Final = ("www-",)
_RENAMED: Final = (("directory-view-whitelist", (2021, 8), "directory-view-allow-list"),)
"""Of rsession.conf: rstudio/rstudio#9898, after which sign-in worked and no session started."""

_WORKBENCH: Final = """
server-health-check-enabled server-multiple-sessions server-project-sharing
load-balancing-enabled www-url-path-prefix
"""
_WORKBENCH_PREFIXES: Final = (
    "admin-",
    "ssl-",
    "launcher-",
    "auth-pam-sessions-",
    "auth-proxy",
    "auth-saml",
    "auth-openid",
    "auth-google-",
    "audit-",
    "monitor-",
    "r-versions-",
)

_LOGGING: Final = """
log-level logger-type log-dir log-file-mode log-file-include-pid log-message-format
rotate rotate-days max-size-mb max-rotations delete-days include-pid
warn-syslog
"""
_DATABASE: Final = "provider directory"
_DATABASE_WORKBENCH: Final = """
host database port username password connection-timeout-seconds connection-uri pool-size
"""


@dataclass(frozen=True)
class RstudioFile:
    """A configuration file in /etc/rstudio that consists of keys and values."""

    name: str
    keys: Mapping[str, RstudioKey]
    workbench: frozenset[str] = frozenset()
    workbench_prefixes: tuple[str, ...] = ()
    internal_prefixes: tuple[str, ...] = ()

    def find(self, name: str) -> RstudioKey | None:
        """Find a key; None when nobody knows it."""
        if (known := self.keys.get(name)) is not None:
            return known
        if name.startswith(self.internal_prefixes or ("\0",)):
            return RstudioKey(name, Standing.INTERNAL)
        if name in self.workbench or name.startswith(self.workbench_prefixes or ("\0",)):
            return RstudioKey(name, Standing.WORKBENCH)
        return None

    def offered(self, version: RstudioVersion) -> tuple[str, ...]:
        """The keys that a configuration of this version may have, sorted."""
        return tuple(
            sorted(
                one.name
                for one in self.keys.values()
                if one.standing is Standing.KNOWN and is_of(one, version)
            )
        )


def is_of(key: RstudioKey, version: RstudioVersion) -> bool:
    """Tell whether that version knows the key."""
    after = key.first is None or version >= key.first
    return after and (key.last is None or version <= key.last)


@cache
def rstudio_file(section: str) -> RstudioFile:
    """The file for a section of `services.rstudio_server.config`.

    Raises:
        KeyError: `repos` and `prefs` have names of their own, and no list.
    """
    return {
        "rserver": _rserver,
        "rsession": _rsession,
        "logging": _logging,
        "database": _database,
    }[section]()


def _rserver() -> RstudioFile:
    keys = [
        *_named(_SERVER.split()),
        *(RstudioKey(name, many=True) for name in _SERVER_MANY),
        *(RstudioKey(name, Standing.OURS, now=ours) for name, ours in _SERVER_OURS.items()),
        *_named(_SERVER_INTERNAL, Standing.INTERNAL),
    ]
    return RstudioFile(
        "rserver.conf", _by_name(keys), frozenset(_WORKBENCH.split()), _WORKBENCH_PREFIXES
    )


def _rsession() -> RstudioFile:
    keys = [
        *_named(_SESSION.split()),
        *_named(_SESSION_INTERNAL.split(), Standing.INTERNAL),
        *(
            RstudioKey(name, last=RstudioVersion(*last, 999, 0), now=now)
            for name, last, now in _RENAMED
        ),
    ]
    return RstudioFile(
        "rsession.conf",
        _by_name(keys),
        workbench_prefixes=("launcher-", "admin-", "audit-"),
        internal_prefixes=_SESSION_INTERNAL_PREFIXES,
    )


def _logging() -> RstudioFile:
    return RstudioFile("logging.conf", _by_name(_named(_LOGGING.split())))


def _database() -> RstudioFile:
    return RstudioFile(
        "database.conf",
        _by_name(_named(_DATABASE.split())),
        workbench=frozenset(_DATABASE_WORKBENCH.split()),
    )


def _named(
    names: "list[str] | tuple[str, ...]", standing: Standing = Standing.KNOWN
) -> Iterator[RstudioKey]:
    return (RstudioKey(name, standing) for name in names)


def _by_name(keys: "list[RstudioKey] | Iterator[RstudioKey]") -> dict[str, RstudioKey]:
    return {one.name: one for one in keys}
