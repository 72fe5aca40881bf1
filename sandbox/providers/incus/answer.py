"""The form of Incus's answers, as far as we read them: another form is the provider's failure.

The form is checked once, when the answer comes in; the other code need not ask whether a field is
there. This works without pydantic, because a listing starts faster than that library loads.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.errors import ProviderError


class MisshapenError(ValueError):
    """The place where an answer has the wrong form."""


@dataclass(frozen=True)
class Maybe:
    """A value that may be missing, or null."""

    shape: Any


@dataclass(frozen=True)
class Each:
    """A list, or a mapping, of similar things; when it is empty, Incus answers null."""

    kind: type
    shape: Any


def _all(shape: Any) -> Maybe:  # noqa: ANN401  (a shape is a type, a mapping of fields, or one of ours)
    return Maybe(Each(list, shape))


def _named(shape: Any) -> Maybe:  # noqa: ANN401
    return Maybe(Each(dict, shape))


_CONFIG: Final = _named(Maybe(str))
_ADDRESS: Final = {"family": str, "scope": str, "address": str}
_STATE: Final = {
    "status": Maybe(str),
    "network": _named(Maybe({"addresses": _all(_ADDRESS)})),
    "disk": _named(Maybe({"usage": Maybe(int)})),
    "cpu": Maybe({"usage": Maybe(int)}),
    "memory": Maybe({"usage": Maybe(int)}),
    "processes": Maybe(int),
}
_INSTANCE: Final = {
    "name": str,
    "status": str,
    "config": _CONFIG,
    "devices": _named(_CONFIG),
    # The member of a cluster; "none" on a server of its own
    "location": Maybe(str),
    "state": Maybe(_STATE),
}
_THING: Final = {
    "name": str,
    "config": _CONFIG,
    "status": Maybe(str),
    "driver": Maybe(str),
    "type": Maybe(str),
    "used_by": _all(str),
    "locations": _all(str),
    "managed": Maybe(bool),
}
_IMAGE: Final = {
    "fingerprint": str,
    "properties": _CONFIG,
    "aliases": _all({"name": str}),
    "size": Maybe(int),
    "created_at": Maybe(str),
    "uploaded_at": Maybe(str),
    "last_used_at": Maybe(str),
}
_OPERATION: Final = {
    "class": str,
    "description": str,
    "resources": _named(_all(str)),
}
_SERVER: Final = {
    "auth": Maybe(str),
    # Not sent to a client that the server does not trust
    "environment": Maybe(
        {
            "server_version": str,
            "architectures": _all(str),
            "server_pid": Maybe(int),
            "storage_supported_drivers": _all({"Name": str}),
            "server_name": Maybe(str),
            "server_clustered": Maybe(bool),
        }
    ),
}

_TOO_LARGE: Final = 2**63
_NAME: Final = "[^/]+"
# With `recursion` a list has the objects themselves, else their addresses
_LISTS: Final = {
    "/1.0/instances": _INSTANCE,
    "/1.0/images": _IMAGE,
    "/1.0/storage-pools": _THING,
    "/1.0/networks": _THING,
    "/1.0/projects": _THING,
    "/1.0/profiles": {"name": str},
    f"/1.0/instances/{_NAME}/snapshots": {"name": str, "created_at": str},
    "/1.0/cluster/members": {"server_name": str, "status": str, "url": str},
    f"/1.0/storage-pools/{_NAME}/volumes": {"name": str, "type": str},
}
_THINGS: Final = {
    "/1.0": _SERVER,
    f"/1.0/instances/{_NAME}": _INSTANCE,
    f"/1.0/instances/{_NAME}/state": {**_STATE, "status": str},
    "/1.0/resources": {"memory": {"total": int}, "cpu": {"total": int}},
    "/1.0/operations": {"running": _all(_OPERATION)},
    f"/1.0/networks/{_NAME}": {"name": str, "config": _CONFIG, "status": Maybe(str)},
    f"/1.0/networks/{_NAME}/state": {"addresses": _all({**_ADDRESS, "netmask": str})},
    f"/1.0/network-acls/{_NAME}": {"name": str, "config": _CONFIG},
    f"/1.0/networks/{_NAME}/leases": _all({"hwaddr": str, "address": str}),
    f"/1.0/storage-pools/{_NAME}": {"driver": str},
    f"/1.0/storage-pools/{_NAME}/resources": {
        "space": Maybe({"total": Maybe(int), "used": Maybe(int)})
    },
    f"/1.0/profiles/{_NAME}": {"devices": _named(_CONFIG)},
}


def metadata_of(answer: object, method: str, path: str, *, deep: bool) -> Any:  # noqa: ANN401
    """Check the form of an answer, and return its content; an empty list instead of null.

    Args:
        answer: the whole answer, not an error.
        method: GET, POST, …
        path: the path of the request, without a query.
        deep: whether a list must have the objects themselves.

    Raises:
        ProviderError: it has another form; the error says where.
    """
    try:
        _require(answer, {"type": str}, "answer")
        assert isinstance(answer, dict)  # noqa: S101  (for mypy: just looked at)
        metadata = answer.get("metadata")
        if method != "GET":
            return metadata
        for pattern, shape in _LISTS.items():
            if re.fullmatch(pattern, path):
                _require(metadata, _all(shape if deep else str), "metadata")
                return metadata or []
        for pattern, shape in _THINGS.items():
            if re.fullmatch(pattern, path):
                _require(metadata, shape, "metadata")
    except MisshapenError as error:
        raise ProviderError(
            f"cannot read what Incus answered to {method} {path}",
            details=str(error),
            hint="is it Incus, in a version that `sandbox doctor` takes? see: incus version",
        ) from error
    return metadata


def environment_of(server: Mapping[str, Any]) -> dict[str, Any]:
    """Return the server's description of itself.

    Raises:
        ProviderError: there is none, as for a client that the server does not trust.
    """
    found = server.get("environment")
    if not found or not found.get("architectures"):
        raise ProviderError(
            "the Incus server says nothing of itself",
            details=f"auth: {server.get('auth')}",
            hint="incus config trust add NAME there, incus remote add NAME TOKEN here",
        )
    return dict(found)


def _require(value: object, shape: Any, where: str) -> None:  # noqa: ANN401
    match shape:
        case Maybe():
            if value is not None:
                _require(value, shape.shape, where)
        case Each(kind=kind):
            if not isinstance(value, kind):
                raise MisshapenError(f"{where} is no {_WORDS[kind]}")
            assert isinstance(value, list | dict)  # noqa: S101  (for mypy)
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for place, item in items:
                _require(item, shape.shape, f"{where}.{place}")
        case dict():
            if not isinstance(value, dict):
                raise MisshapenError(f"{where} is no {_WORDS[dict]}")
            for key, inner in shape.items():
                if key not in value and not isinstance(inner, Maybe):
                    raise MisshapenError(f"{where} has no {key}")
                _require(value.get(key), inner, f"{where}.{key}")
        case _:
            # In Python a bool is a number, too
            is_truth = isinstance(value, bool)
            if not isinstance(value, shape) or (shape is int and is_truth):
                raise MisshapenError(f"{where} is no {_WORDS[shape]}")
            if isinstance(value, int) and abs(value) >= _TOO_LARGE:
                raise MisshapenError(f"{where} is larger than any number of Incus's")


_WORDS: Final[Mapping[type, str]] = {
    str: "text",
    int: "number",
    bool: "truth",
    list: "list",
    dict: "mapping",
}
