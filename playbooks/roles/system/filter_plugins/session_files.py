"""Write environment and limits for the files that a session reads."""

import re
import shlex

# Versions of pam_env before 1.5 read lines into a buffer of 1024 bytes
_LONGEST = 900
_PLAIN = re.compile(r"[^\s#'\"\\$`{}@]([^#'\"\\$`{}]*[^\s#'\"\\$`{}])?")


def pam_environment(environment):
    """Lines `NAME=value` for /etc/environment; a comment where the file cannot hold the value.

    pam_env cuts a value at `#`, drops quotes and knows no escape; newer versions expand `$` and
    backslashes. /etc/profile.d and R's Renviron.site, which can quote, have every value.
    """
    lines = []
    for name, value in sorted(environment.items()):
        value = str(value)
        if not value or (_PLAIN.fullmatch(value) and len(value.encode()) <= _LONGEST):
            lines.append(f"{name}={value}")
        else:
            lines.append(f"# {name}: pam_env cannot read its value; see /etc/profile.d/sandbox.sh")
    return "\n".join(lines)


def shell_environment(environment):
    """Lines for /etc/profile.d: read by login shells, and Shiny Server starts R through one."""
    return "\n".join(
        f"export {name}={shlex.quote(str(value))}" for name, value in sorted(environment.items())
    )


def pam_limits(limits):
    """Lines for /etc/security/limits.d; root needs lines of its own, as `*` leaves it out."""
    return "\n".join(
        f"{who} {kind} {item} {value}"
        for item, value in limits.items()
        if value
        for who in ("*", "root")
        for kind in ("soft", "hard")
    )


class FilterModule:
    """Found by Ansible."""

    def filters(self):
        """Name to function."""
        return {
            "pam_environment": pam_environment,
            "pam_limits": pam_limits,
            "shell_environment": shell_environment,
        }
