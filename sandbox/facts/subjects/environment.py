"""The environment variables of R, and the threads and proxies that they set."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields, a_path
from sandbox.facts.r_view import RView
from sandbox.facts.shown import shown_or_hidden
from sandbox.facts.subject import Facts, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.untaken import HashKey

# Of one login or one process, or told by another kind of fact
SESSION_VARIABLES = re.compile(
    r"HOME|USER|LOGNAME|USERNAME|MAIL|PWD|OLDPWD|SHLVL|_|TERM|SHELL|HOSTNAME|MOTD_SHOWN|LS_COLORS"
    r"|SSH_.*|XDG_.*|DBUS_.*|SUDO_.*|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_.*|MANAGERPID|NOTIFY_SOCKET"
    r"|R_SESSION_TMPDIR|TMPDIR|R_HOME|R_LIBS_USER|LANG|LANGUAGE|LC_.*|TZ|BASH_.*|which_declare"
    r"|RS_.*|RSTUDIO_.*|SHINY_.*|WORKER_ID|LOG_FILE|MEMORY_PRESSURE_.*|https?_proxy|no_proxy"
    r"|HTTPS?_PROXY|NO_PROXY|ftp_proxy|[A-Z]*_THREADS|R_(BROWSER|PDFVIEWER|PRINTCMD|UNZIPCMD|ZIPCMD)"
    r"|R_(TEXI2DVICMD|GZIPCMD|BZIPCMD|PAPERSIZE.*|RD4PDF|ARCH|PLATFORM|DOC_DIR|INCLUDE_DIR)"
    r"|R_(SHARE_DIR|STRIP_.*|SYSTEM_ABI)|EDITOR|PAGER|SED|TAR|MAKE|LN_S"
)
_PROXIES = re.compile(r"(https?|no|ftp)_proxy", re.IGNORECASE)
_THREADS = re.compile(r"[A-Z]*_THREADS|OMP_.*|OPENBLAS_.*|MKL_.*|GOTO_.*")


def _environment_files(said: RSaid) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for path, name in said.rows("environment_file"):
        found.setdefault(path, []).append(name)
    return {path: tuple(dict.fromkeys(names)) for path, names in found.items()}


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {
        "environment": said.table("environment"),
        "environment_files": _environment_files(said),
    }


def environment(view: RView, _: Facts) -> Reading:
    """Variables that code may read; those of a session or of a login left out."""
    return {
        name: _plain_path(value) if name == "PATH" else _without_home(value, view)
        for name, value in view.environment.items()
        if not SESSION_VARIABLES.fullmatch(name) and not _PROXIES.fullmatch(name)
    }


def _plain_path(value: str) -> str:
    """Without what root's path has and a person's has not, or the other way round."""
    return ":".join(
        folder for folder in value.split(":") if not folder.endswith(("/sbin", "/games"))
    )


def _without_home(value: str, view: RView) -> str:
    home_folder = view.environment.get("HOME")
    return value.replace(home_folder, "~") if home_folder and len(home_folder) > 1 else value


def proxies(view: RView, _: Facts) -> Reading:
    """Proxy settings."""
    return {
        name.lower(): value
        for name, value in view.environment.items()
        if _PROXIES.fullmatch(name) and value
    }


def threads(view: RView, _: Facts) -> Reading:
    """What limits the threads of BLAS and OpenMP."""
    return {name: value for name, value in view.environment.items() if _THREADS.fullmatch(name)}


def _stated(plan: Plan, key: HashKey | None) -> Stated:
    if plan.r is None:
        return {}
    stated = shown_or_hidden(plan.system.environment, key)
    of_threads = {name: value for name, value in stated.items() if name.endswith("_THREADS")}
    others = {name: value for name, value in stated.items() if name not in of_threads}
    return {"r.threads": dict(of_threads), "r.environment": dict(others)}


ENVIRONMENT = Subject(
    name="environment",
    rank=5,
    r_lines={"environment": Fields(2, 2), "environment_file": Fields(2, 2, a_path)},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.environment",
            Consequence.FAILS,
            110,
            title="an environment variable in R",
            how="exact",
            why="what a service sets does not reach Shiny apps, and code that reads it "
            "goes on without",
            bug="rstudio/shiny-server/issues/480",
            read=environment,
        ),
        kind_of_r(
            "r.proxy",
            Consequence.FAILS,
            120,
            title="a proxy setting in R",
            how="exact",
            why="downloads hang or fail from inside an app while they work in a terminal",
            bug="openkaiden/kaiden/issues/1897",
            read=proxies,
        ),
        kind_of_r(
            "r.threads",
            Consequence.SPEED,
            40,
            title="the threads of BLAS and OpenMP",
            how="exact",
            why="too many fight for the processors, and forked workers wait for each "
            "other for ever",
            bug="OpenMathLib/OpenBLAS/issues/240",
            read=threads,
        ),
    ),
    stated=_stated,
)
