"""Settings from the environment (read only here), and the context of every workflow."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_base_source, complete_name, complete_provider
from sandbox.events import Listener
from sandbox.providers import PROVIDERS

if TYPE_CHECKING:
    from sandbox.providers.place import Place
    from sandbox.spec.user_config import UserConfig
    from sandbox.workflows.context import Context
    from sandbox.workflows.secrets_given import SecretSource

ProviderOption = Annotated[
    str | None,
    typer.Option(
        "--provider",
        help=f"What runs it: {', '.join(PROVIDERS[:-1])} or {PROVIDERS[-1]}. Also from the box, or "
        "SANDBOX_PROVIDER.",
        autocompletion=complete_provider,
    ),
]
BaseSourceOption = Annotated[
    str,
    typer.Option(
        "--base-source",
        help="Where the base image comes from: auto, build (on this host), public (image server).",
        autocompletion=complete_base_source,
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="The folder that the box may read files of; default: its repository, or its own.",
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust", help="Run the box's own checks on this host without asking, and remember them."
    ),
]

SudoOption = Annotated[
    bool,
    typer.Option(
        "--sudo", help="On an ssh host, become root by `sudo -n`: sees into Shiny apps, sshd, …"
    ),
]
SshConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--ssh-config",
        "-F",
        envvar="SANDBOX_SSH_CONFIG",
        help="An ssh configuration instead of your own.",
    ),
]


def place() -> "Place":
    """Return the place of our things: SANDBOX_INCUS_PREFIX on SANDBOX_INCUS_REMOTE."""
    from sandbox.providers.place import Place

    return Place.from_prefix(
        os.environ.get("SANDBOX_INCUS_PREFIX") or "sandbox",
        os.environ.get("SANDBOX_INCUS_REMOTE") or "local",
    )


def context(
    listener: Listener,
    *,
    provider: str | None = None,
    base_source: str = "auto",
    trust: bool = False,
    secrets: "SecretSource | None" = None,
) -> "Context":
    """Make the context of the workflows, from the command line and the environment.

    Raises:
        UsageError: an unknown base source.
    """
    from sandbox.cli.trust import consent
    from sandbox.workflows.context import Context, parse_base_source
    from sandbox.workflows.secrets_given import GivenSecrets

    return Context(
        place=place(),
        listener=listener,
        provider=provider,
        default_provider=os.environ.get("SANDBOX_PROVIDER") or None,
        base_source=parse_base_source(base_source),
        consent=consent(trust=trust),
        secrets=GivenSecrets() if secrets is None else secrets,
        user_config=_user_config,
        user_proxies=_user_proxies(),
    )


def _user_config() -> "UserConfig":
    from sandbox.paths import user_config_path
    from sandbox.spec.user_config import load_user_config

    return load_user_config(user_config_path())


def _user_proxies() -> dict[str, str]:
    """The variables that curl and others know, in small or capital letters."""
    names = ("http_proxy", "https_proxy", "no_proxy")
    # As with curl: of a web server's own variables, HTTP_PROXY is what a visitor sent
    found = {name: os.environ.get(name.upper(), "") for name in names if name != "http_proxy"}
    return found | {name: os.environ[name] for name in names if name in os.environ}


NameArgument = Annotated[
    str, typer.Argument(help="A sandbox, as `sandbox list` shows it.", autocompletion=complete_name)
]
