"""Find others who use our objects in Incus: then teardown stops before it begins."""

from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

from sandbox.errors import HostError
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import ServerFacts

_KINDS = {
    "instances": "the instance",
    "profiles": "the profile",
    "images": "the image",
    "networks": "the network",
    "volumes": "the volume",
    "buckets": "the bucket",
}


def require_unused(place: IncusPlace, server: ServerFacts) -> None:
    """Return when nobody but our own project uses our storage pool and our network.

    Raises:
        HostError: somebody does; the error says who uses what.
    """
    users = tuple(others_on_ours(place, server))
    if users:
        raise HostError(
            "what sandbox made on this host is in use by others: nothing was removed",
            details="\n".join(users),
            hint="move or remove these first (`incus list --all-projects` shows their projects), "
            "then run the same command again",
        )


def others_on_ours(place: IncusPlace, server: ServerFacts) -> Iterator[str]:
    """Yield one line for each thing outside our project that depends on an object of ours."""
    ours = (
        ("storage pool", server.pool(place.pool)),
        ("network", server.network(place.network)),
    )
    for what, thing in ours:
        if thing is None or thing.mark != place.project:
            continue
        for path in thing.used_by:
            found = urlsplit(path)
            if what == "storage pool" and found.path.startswith("/1.0/images/"):
                # Incus's own unpacked copy; the image itself is elsewhere, and stays
                continue
            project = parse_qs(found.query).get("project", ["default"])[0]
            if project != place.project:
                name = _name(unquote(found.path))
                yield f"{name} in the project {project} uses the {what} {thing.name}"


def _name(path: str) -> str:
    """`/1.0/instances/web` in words."""
    parts = path.removeprefix("/1.0/").split("/")
    kind = parts[-3] if parts[0] == "storage-pools" and len(parts) > 3 else parts[0]  # noqa: PLR2004
    return f"{_KINDS.get(kind, kind)} {parts[-1]}"
