"""A sandbox's hash key, and hashes of the values that its machine got for the box's secrets.

Both are files of mode 0600 in the sandbox's folder: `probe.key`, with which the probe makes hashes
of values that it does not show, and `secrets.json`. A hash tells nothing without the key. Neither
file holds a value.
"""

import json
import re
from collections.abc import Iterable
from contextlib import suppress

from sandbox.facts.facts import Facts
from sandbox.facts.files import load_facts
from sandbox.facts.hashes import Hashes
from sandbox.plan import Plan
from sandbox.probe.keys import find_key
from sandbox.probe.untaken import HashKey, new_key, token
from sandbox.secret_values import NeededSecret, SecretValues
from sandbox.state import Instance

KEY_FILE = "probe.key"
SECRETS_FILE = "secrets.json"


def hash_key(instance: Instance) -> HashKey:
    """Return the sandbox's key; make one when there is no key, or the file holds something else."""
    with suppress(FileNotFoundError, UnicodeDecodeError):
        digits = (instance.folder / KEY_FILE).read_text(encoding="ascii").strip()
        if re.fullmatch(r"[0-9a-f]{32}", digits):
            return HashKey(digits)
    key = new_key()
    instance.write_text(KEY_FILE, f"{key.digits}\n")
    return key


def hashes_of(instance: Instance, key: HashKey) -> Hashes:
    """Return everything that checks need to compare values that the probe shows only as hashes."""
    return Hashes(key=key.digits, secrets=_given(instance, key))


def key_beside(production: Facts | None, instance: Instance) -> HashKey:
    """Choose the key of production's facts if it is here, so that both compare; or our own."""
    found = find_key(production.hash_key) if production is not None else None
    return found or hash_key(instance)


def remember_given(instance: Instance, plan: Plan, values: SecretValues) -> None:
    """Keep the hashes of the values that the machine is about to get.

    They are made with the sandbox's own key, and with the key of the production to compare with.
    """
    production = load_facts(plan.production) if plan.production is not None else None
    keys = {hash_key(instance), key_beside(production, instance)}
    content = {key.id: {name: token(value, key) for name, value in values} for key in keys}
    instance.write_text(SECRETS_FILE, json.dumps(content, indent=1) + "\n")


def given_again(
    instance: Instance, needed: Iterable[NeededSecret], values: SecretValues
) -> tuple[str, ...]:
    """Name the secrets for which the given value is not the one that the machine got."""
    key = hash_key(instance)
    given, at_hand = _given(instance, key), dict(values)
    return tuple(
        one.name
        for one in needed
        if one.name in at_hand and given.get(one.name) != token(at_hand[one.name], key)
    )


def _given(instance: Instance, key: HashKey) -> dict[str, str]:
    """Hash by name; empty when the hashes were never kept, are damaged, or have another key."""
    with suppress(FileNotFoundError, UnicodeDecodeError, ValueError):
        saved = json.loads((instance.folder / SECRETS_FILE).read_text(encoding="ascii"))
        hashes = saved.get(key.id) if isinstance(saved, dict) else None
        if isinstance(hashes, dict):
            return {str(name): str(one) for name, one in hashes.items()}
    return {}
