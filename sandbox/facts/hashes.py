"""Values that a machine does not hand over are compared by their hashes."""

from pydantic import BaseModel, ConfigDict, Field

from sandbox.probe.redact import REDACTED
from sandbox.probe.untaken import HashKey, Verdict, holds, is_untaken, token, token_of
from sandbox.spec.values import Secret


class Hashes(BaseModel):
    """What is needed to tell whether a value on the machine is the planned one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(default="", repr=False)
    """The sandbox's own key, by which the facts at hand were made; empty: there is none."""
    secrets: dict[str, str] = Field(default_factory=dict, repr=False)
    """The hashes of the values that the machine was given for secrets, by name."""

    @property
    def hash_key(self) -> HashKey | None:
        """The key, if there is one."""
        return HashKey(self.key) if self.key else None

    def can_tell(self, planned: object) -> bool:
        """Tell whether anything can be compared with it: not with a secret that is forgotten."""
        return not isinstance(planned, Secret) or bool(self.key and planned.secret in self.secrets)

    def judge(self, actual: str, planned: str | Secret) -> Verdict:
        """Judge whether what the facts say of a value is the planned one."""
        if REDACTED in actual:
            return "unknown"
        if isinstance(planned, Secret):
            return self._judge_secret(actual, self.secrets.get(planned.secret))
        if self.key:
            return holds(actual, planned, HashKey(self.key))
        if is_untaken(actual):
            return "unknown"
        return "equal" if actual == planned else "differs"

    def why_unknown(self, planned: object) -> str:
        """Say why a value could not be judged."""
        if isinstance(planned, Secret) and planned.secret not in self.secrets:
            return (
                "it is set, and could not be compared: which value the machine was given for the "
                f"secret {planned.secret} is not known any more"
            )
        return "it is set, and could not be compared: the probe gave neither its value nor a hash"

    def _judge_secret(self, actual: str, given: str | None) -> Verdict:
        if given is None or not self.key:
            return "unknown"
        if is_untaken(actual):
            found = token_of(actual)
            if found is None:
                return "unknown"
        else:
            found = token(actual, HashKey(self.key))
        return "equal" if found == given else "differs"


NO_HASHES = Hashes()
"""Nothing is known: a value that was not taken can be compared with nothing."""
