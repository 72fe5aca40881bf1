"""Turn a plan into files: the one Jinja environment, its quoting filters, and Ansible's variables.

Text of a box passes a filter for the language of the file, and is never pasted as it is. What
Ansible gets is data: every string is marked so that Ansible does not take it for a template.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from sandbox.errors import BoxError
from sandbox.fetch.routes import goes_direct
from sandbox.materials.installed import mark
from sandbox.materials.packages.variables import LibraryVars, library_variables
from sandbox.materials.r_variables import RVars, r_variables
from sandbox.paths import data_dir
from sandbox.placement import Placement
from sandbox.plain_file import NotPlainError, read_plain
from sandbox.plan import Plan
from sandbox.quoting import Json, nginx, ruby, sh, yaml
from sandbox.secret_values import NO_VALUES, Plain, SecretValues
from sandbox.servers import servers
from sandbox.spec.certificate import MAX_PEM_BYTES, certificates_in
from sandbox.spec.models import System
from sandbox.spec.values import Secret

if TYPE_CHECKING:
    from jinja2 import Environment

_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

LOGIN_USER = "sandbox"
"""The account by which ssh and Ansible log in."""


@cache
def jinja_environment() -> "Environment":
    """Make the one Jinja environment: undefined names are errors, nothing is escaped for HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(data_dir("templates")),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  (shell and Ruby, not HTML; each value passes a filter)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(sh=sh, ruby=ruby, yaml=yaml, json=yaml, nginx=nginx)
    return made


@dataclass(frozen=True)
class RenderedFile:
    """A file, ready to be written into an instance's folder."""

    path: Path  # relative to that folder
    content: str


@dataclass(frozen=True)
class Certificate:
    """A CA certificate that the machine trusts."""

    name: str
    """Its file name on the machine."""
    pem: str


class AppVars(BaseModel):
    """One app, in the form that the role `apps` wants."""

    model_config = ConfigDict(frozen=True)

    name: str
    release: str
    """12 hex digits of the fingerprint: a changed app is a new release."""
    archive: str
    """The tar file on this host."""


class ApiVars(AppVars):
    """One API, in the form that the role `plumber` wants."""

    file: str
    host: str
    port: int
    docs: bool
    user: str
    environment: dict[str, str]


class UserVars(BaseModel):
    """One account, in the form that the role `users` wants."""

    model_config = ConfigDict(frozen=True)

    name: str
    groups: tuple[str, ...]
    sudo: bool
    ssh_keys: tuple[str, ...]


@dataclass(frozen=True)
class SecretPlace:
    """An item of one of Ansible's variables that is a secret."""

    variable: str
    """The variable, such as `r_options`."""
    item: str
    secret: str


class ProvisionVars(BaseModel):
    """The variables of `playbooks/site.yml`; each is documented in its role's defaults."""

    model_config = ConfigDict(frozen=True)

    locked_packages_wanted: bool
    system_packages: tuple[str, ...]
    system_timezone: str
    system_locale: str
    system_environment: dict[str, str]
    system_limit_nofile: int | None
    system_limit_nproc: int | None
    r_wanted: bool
    r_versions_list: tuple[RVars, ...]
    r_library_list: tuple[LibraryVars, ...]
    r_blas: str
    r_options: dict[str, bool | int | float | str]
    r_repos: dict[str, str]
    r_environment: dict[str, str]
    r_packages_names: tuple[str, ...]
    secrets_are_given: bool
    servers: dict[str, JsonValue]
    """The settings of each server that a machine can have, by the server's own variable names."""
    apps_list: tuple[AppVars, ...]
    plumber_apis: tuple[ApiVars, ...]
    users_list: tuple[UserVars, ...]
    users_with_password: tuple[str, ...]
    users_login: str
    materials_marks: tuple[str, ...]

    secret_places: tuple[SecretPlace, ...] = Field(default=(), exclude=True)
    """Where a secret's value goes, in place of its name."""

    def _content(self) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for name, value in self.model_dump(mode="json").items():
            found |= value if name == "servers" else {name: value}
        return found

    def for_reading(self) -> str:
        """Write JSON in which a secret is shown by its name."""
        return json.dumps(not_templates(self._content()), indent=1) + "\n"

    def for_ansible(self) -> str:
        """Write JSON for `-e @FILE` in which every string is marked as text that is no template.

        Secrets are the exception: Ansible reads them from its environment, and does not take
        them for templates there either.
        """
        found = not_templates(self._content())
        for place in self.secret_places:
            lookup = f"lookup('ansible.builtin.env', '{secret_variable(place.secret)}')"
            found[place.variable][place.item] = f"{{{{ {lookup} }}}}"  # type: ignore[call-overload,index]
        return json.dumps(found, indent=1) + "\n"


def secret_variable(name: str) -> str:
    """Name the variable of Ansible's environment that holds a secret's value."""
    return f"SANDBOX_SECRET_{name}"


def not_templates(value: Json) -> Json:
    """Mark each string in `value` as "never a template" in Ansible's JSON.

    Otherwise Ansible takes strings of extra vars for Jinja, and runs their lookups on this host.
    """
    match value:
        case str():
            return {"__ansible_unsafe": value}
        case list():
            return [not_templates(item) for item in value]
        case dict():
            return {key: not_templates(item) for key, item in value.items()}
        case _:
            return value


def archive_path(folder: Path, app: str) -> Path:
    """Return the path of an app's tar file, in an instance's folder."""
    return folder / "apps" / f"{app}.tar"


def api_archive_path(folder: Path, api: str) -> Path:
    """Return the path of an API's tar file, in an instance's folder."""
    return folder / "apis" / f"{api}.tar"


def provision_vars(plan: Plan, folder: Path) -> ProvisionVars:
    """Make Ansible's variables for `plan`; app archives are named under `folder`."""
    system, r = plan.system, plan.r
    options, repos = (r.options, r.repos) if r is not None else ({}, {})
    environment = _shown(system.environment)
    session = {"TZ": system.timezone, **environment}
    places = (
        *_secrets_in("system_environment", system.environment),
        *_secrets_in("r_environment", system.environment),
        *_secrets_in("r_options", options),
        *_secrets_in("r_repos", repos),
    )
    return ProvisionVars(
        locked_packages_wanted=plan.locked is not None,
        system_packages=plan.apt_packages,
        system_timezone=system.timezone,
        system_locale=system.locale,
        system_environment=session,
        system_limit_nofile=system.limits.nofile,
        system_limit_nproc=system.limits.nproc,
        r_wanted=r is not None,
        r_versions_list=r_variables(plan, plan.materials),
        r_library_list=library_variables(plan, plan.materials),
        r_blas=r.blas if r else "reference",
        r_options=_shown(options),
        r_repos=_shown(repos),
        # A service starts R without the variables of a login
        r_environment={"LANG": system.locale, **session},
        r_packages_names=r.debian_packages.names if r else (),
        secrets_are_given=bool(places),
        secret_places=places,
        servers={
            name: value
            for server in servers()
            for name, value in (
                *server.variables(plan.services, system).items(),
                *server.r_variables(plan.services, r, plan.base).items(),
            )
        },
        apps_list=tuple(
            AppVars(
                name=app.name,
                release=app.release,
                archive=str(archive_path(folder, app.name)),
            )
            for app in plan.apps
        ),
        plumber_apis=tuple(_api_vars(plan, folder)),
        users_list=tuple(
            UserVars(name=user.name, groups=user.groups, sudo=user.sudo, ssh_keys=user.ssh_keys)
            for user in plan.users
        ),
        users_with_password=plan.users_with_password,
        users_login=LOGIN_USER,
        materials_marks=tuple(sorted({mark(one) for one in plan.materials.files})),
    )


def _api_vars(plan: Plan, folder: Path) -> Iterator[ApiVars]:
    releases = {api.name: api.release for api in plan.apis}
    for api in plan.services.plumber.all if plan.services.plumber is not None else ():
        yield ApiVars(
            name=api.name,
            release=releases[api.name],
            archive=str(api_archive_path(folder, api.name)),
            file=api.file,
            host=api.host or "0.0.0.0",  # noqa: S104  (as the other servers listen)
            port=api.port,
            docs=api.docs,
            user=api.user,
            environment=api.environment,
        )


def _shown(values: "Mapping[str, Plain | Secret]") -> "dict[str, Plain | str]":
    return {name: NO_VALUES.of(value) for name, value in values.items()}


def _secrets_in(variable: str, values: Mapping[str, object]) -> Iterator[SecretPlace]:
    for item, value in values.items():
        if isinstance(value, Secret):
            yield SecretPlace(variable, item, value.secret)


def read_certificates(plan: Plan) -> tuple[Certificate, ...]:
    """Read the plan's CA certificates from this host.

    Raises:
        BoxError: one cannot be read, or holds no certificate.
    """
    found = []
    for number, path in enumerate(plan.ca_certificates, 1):
        stem = re.sub(r"[^A-Za-z0-9-]", "-", path.stem)
        try:
            certificates = certificates_in(read_plain(path, max_bytes=MAX_PEM_BYTES))
        except NotPlainError as error:
            raise BoxError(f"the certificate {path} cannot be read", details=str(error)) from error
        if not certificates:
            raise BoxError(
                f"there is no certificate in {path}",
                hint="name a PEM file: openssl x509 -in FILE -noout says whether it is one",
            )
        pem = "\n".join(certificates)
        found.append(Certificate(name=f"sandbox-{number}-{stem}.crt", pem=pem))
    return tuple(found)


def render_bootstrap(
    plan: Plan,
    certificates: tuple[Certificate, ...] | None = None,
    secrets: SecretValues = NO_VALUES,
) -> str:
    """Render the script that brings the plan's bare base to where Ansible can work.

    Without `secrets` the script is for reading: `<secret NAME>` stands in place of each value.

    Raises:
        BoxError: a certificate of the plan cannot be read.
    """
    proxy = secrets.of(plan.system.proxy)
    return _render(
        "bootstrap.sh.j2",
        {
            "login_user": LOGIN_USER,
            "suite": plan.base.suite,
            "distribution": plan.base.distribution,
            "locked": plan.locked is not None,
            "mirror": plan.mirror,
            "proxy": proxy,
            "proxy_conf": _apt_proxy(proxy, plan.system),
            "certificates": read_certificates(plan) if certificates is None else certificates,
        },
    )


def rendered_files(placement: Placement, folder: Path = Path()) -> tuple[RenderedFile, ...]:
    """Render every file that is made from the plan, for `sandbox render`.

    Raises:
        BoxError: a certificate of the plan cannot be read.
    """
    return (
        RenderedFile(Path("bootstrap.sh"), render_bootstrap(placement.plan)),
        RenderedFile(
            Path("ansible/vars.json"), provision_vars(placement.plan, folder).for_reading()
        ),
        RenderedFile(Path("plan.json"), placement.model_dump_json(indent=1) + "\n"),
    )


def _apt_proxy(proxy: str | None, system: System) -> str:
    if proxy is None:
        return ""
    # The model allows no quote, backslash or blank in it; apt has no escape for them
    lines = [f'Acquire::http::Proxy "{proxy}";', f'Acquire::https::Proxy "{proxy}";']
    for host in _direct_hosts(system):
        lines += [f'Acquire::{scheme}::Proxy::{host} "DIRECT";' for scheme in ("http", "https")]
    return "\n".join(lines)


def _direct_hosts(system: System) -> list[str]:
    """The hosts that apt must not ask its proxy for. It knows only whole names, no domains."""
    excepted = system.no_proxy or ()
    mirror = system.mirror
    said = (mirror.debian, mirror.ubuntu, mirror.security) if mirror is not None else ()
    urls = [url for url in said if url is not None]
    named = {urlsplit(url).hostname or "" for url in urls if goes_direct(url, excepted)}
    named |= {one for one in excepted if _HOST.fullmatch(one)}
    return sorted(name for name in named if _HOST.fullmatch(name))


def _render(template: str, values: Mapping[str, object]) -> str:
    return jinja_environment().get_template(template).render(values)
