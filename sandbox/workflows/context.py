"""The context of every workflow: the listener, the providers, and the place of the machines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from sandbox.errors import HostError, UsageError
from sandbox.events import Listener, Notice, ignore
from sandbox.guest.guest import Guest
from sandbox.providers import FALLBACK, PROVIDERS, Registry
from sandbox.providers.engine import Engine, MachineStatus
from sandbox.providers.place import Place
from sandbox.spec.choices import BaseSource, ProviderName
from sandbox.state import Instance
from sandbox.trust import Consent, HostCode, agreed_code

if TYPE_CHECKING:
    from sandbox.fetch.fetcher import Fetcher
    from sandbox.fetch.routes import Routes
    from sandbox.placement import Placement
    from sandbox.plan import Plan
    from sandbox.spec.user_config import UserConfig
from sandbox.workflows.secrets_given import GivenSecrets, SecretSource

STOP_TIMEOUT_S = 60.0
"""How long a machine may take to shut itself down; after that it is switched off by force."""


def no_config() -> "UserConfig":
    """Return the settings of a user who has none."""
    from sandbox.spec.user_config import UserConfig

    return UserConfig()


@dataclass(frozen=True)
class Context:
    """Given to every workflow by the CLI, and by tests with an engine of their own."""

    place: Place
    listener: Listener = ignore
    provider: str | None = None
    """The user's choice (`--provider`)."""
    default_provider: str | None = None
    """The user's standing choice (SANDBOX_PROVIDER)."""
    base_source: BaseSource = "auto"
    consent: Consent = field(default_factory=Consent)
    """How somebody agrees to code that a box would run on this host."""
    providers: Registry = field(default_factory=Registry)
    """The providers, by name."""
    make_guest: Callable[["Placement", Instance, Engine, Listener], Guest] = Guest
    secrets: SecretSource = field(default_factory=GivenSecrets)
    """The source of values that a box only names; empty, unless the CLI sets one."""
    user_config: Callable[[], "UserConfig"] = no_config
    """Reads the user's own settings; only commands that need them meet what is wrong there."""
    user_proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The user's variables http_proxy, https_proxy and no_proxy."""

    def engine(self, provider: str) -> Engine:
        """Make the engine that drives `provider`."""
        return self.providers[provider].make_engine(self.place)

    def guest(self, placement: "Placement", instance: Instance) -> Guest:
        """Return the machine of a placement, at the provider that runs it."""
        engine = self.engine(placement.provider)
        return self.make_guest(placement, instance, engine, self.listener)

    def guest_named(self, name: str) -> Guest:
        """Return the machine of a sandbox that must be there.

        Raises:
            UsageError: there is no such sandbox.
            BrokenFileError: its record is damaged.
        """
        instance = Instance(name)
        return self.guest(instance.require().placement, instance)

    def routes(self, plan: "Plan") -> "Routes":
        """Return the ways to what this host fetches for a plan: the box's mirrors, then the user's.

        Raises:
            InvalidBoxError: the user's settings are wrong.
            UsageError: the proxy is a secret that has no value.
        """
        from sandbox.fetch.routes import Routes, UserProxies
        from sandbox.secret_values import NeededSecret
        from sandbox.spec.values import Secret

        mirrors = self.user_config().mirrors
        if plan.mirrors is not None:
            mirrors = plan.mirrors.over(mirrors)
        proxy = mirrors.proxy
        if isinstance(proxy, Secret):
            needed = NeededSecret(proxy.secret, ("mirrors.proxy",), frozenset({"proxy"}))
            proxy = str(self.secrets.all_of([needed]).of(proxy))
        variables = UserProxies.from_variables(self.user_proxies)
        return Routes(mirrors, proxy=proxy, user_proxies=variables)

    def fetcher(self, plan: "Plan", *, sandbox: str = "") -> "Fetcher":
        """Return what fetches for a plan on this host; `sandbox` is the name in its events.

        Raises:
            SandboxError: as in `routes`.
        """
        from sandbox.fetch.fetcher import Fetcher
        from sandbox.fetch.store import Store

        return Fetcher(self.routes(plan), Store(), self.listener, sandbox=sandbox)

    def statuses(self, provider: str) -> dict[str, MachineStatus]:
        """List our machines at a provider.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        return self.providers[provider].statuses(self.place)

    def agreed_checks(self, plan: "Plan") -> tuple[HostCode, ...]:
        """Return the box's own checks, once somebody has agreed to run them on this host.

        Raises:
            UsageError: nobody has agreed.
        """
        purpose = f"the own checks of the box {plan.box_name}"
        return agreed_code(plan.check_files, plan.box_path, purpose, self.consent)


def parse_base_source(word: str) -> BaseSource:
    """Parse the `--base-source` of that name.

    Raises:
        UsageError: there is no such source.
    """
    known: tuple[BaseSource, ...] = get_args(BaseSource)
    for source in known:
        if source == word:
            return source
    raise UsageError(f"there is no base source `{word}`", hint=f"one of: {', '.join(known)}")


def choose_provider(context: Context, wanted_by_box: str | None) -> ProviderName:
    """Choose `--provider`, else the box's, else SANDBOX_PROVIDER, else the first usable one here.

    Raises:
        UsageError: no such provider.
    """
    chosen = context.provider or wanted_by_box or context.default_provider
    if chosen is None:
        # A doubtful provider is never the default; a user may choose it by hand
        sound = (name for name in PROVIDERS if _is_sound(context.engine(name)))
        return next(sound, FALLBACK)
    for name in PROVIDERS:
        if name == chosen:
            return name
    raise UsageError(f"there is no provider `{chosen}`", hint=f"one of: {', '.join(PROVIDERS)}")


def _is_sound(engine: Engine) -> bool:
    return engine.check_host(brief=True).sound


def require_usable(engine: Engine, listener: Listener, sandbox: str) -> None:
    """Stop early, with everything that is missing, when the host is not ready.

    Doubts are reported, and stop nobody: the provider itself decides.

    Raises:
        HostError: something prevents the work; `details` lists it all.
    """
    report = engine.check_host()
    for finding in report.findings:
        if not finding.ok and finding.doubtful:
            text = f"{finding.title}? {finding.detail}; trying all the same"
            listener(Notice(sandbox, f"{text} ({finding.fix})" if finding.fix else text))
        elif not finding.ok and finding.warning:
            listener(Notice(sandbox, f"{finding.title}: {finding.detail}"))
    if report.possible:
        return
    failed = [item for item in report.findings if not (item.ok or item.warning or item.doubtful)]
    raise HostError(
        f"{report.provider} is not ready on this host",
        details="\n".join(f"{item.title}: {item.detail}" for item in failed),
        hint=next((item.fix for item in failed if item.fix), "sandbox doctor"),
    )
