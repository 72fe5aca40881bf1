"""Membership in a group that may use a provider's daemon."""

import grp
import os


def is_member(user: str, group: str) -> bool:
    """Tell whether `user` is in `group`, now or from the next login on."""
    try:
        return user in grp.getgrnam(group).gr_mem
    except KeyError:
        return False


def has_group_now(group: str) -> bool:
    """Tell whether this very process has the group; it may take a new login."""
    try:
        return grp.getgrnam(group).gr_gid in {*os.getgroups(), os.getegid()}
    except KeyError:
        return False


def login_advice(user: str | None, group: str, *, member: bool, now: bool) -> tuple[str, ...]:
    """Return the instruction for a person who became a member and has not logged in since."""
    if user is None or not member or now:
        return ()
    return (
        f"{user} is in the group {group} from the next login on; until then:",
        f"  newgrp {group}",
    )
