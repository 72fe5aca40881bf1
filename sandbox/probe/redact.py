"""What a secret looks like. One definition, used on the host (by probe.R) and again here.

The patterns keep to what Perl's and Python's regular expressions have in common.
"""

import re

from sandbox.probe.facts import REDACTED

NAMES = (
    # PWD is the working folder, and the others name files
    r"(?i)^(?!(PWD|OLDPWD|XAUTHORITY|SSH_AUTH_SOCK)$).*"
    r"(TOKEN|PASSW|PASSPHRASE|SECRET|CREDENTIAL|COOKIE|PRIVATE|KEY|SIGNATURE|WEBHOOK"
    r"|CONN(ECTION)?_?STR|(^|[_.-])(PAT|PASS|PWD|AUTH|DSN|SALT)([_.-]|[0-9]*$))"
)
"""Names of variables and options whose values are hidden, whatever they are."""

VALUES = (
    r"(?i)\b(gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|sk-|hf_|npm_|pypi-)[A-Za-z0-9_-]{12,}"
    r"|\b(AKIA|ASIA)[A-Z0-9]{12,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|\b(password|passwd|pwd|secret|token|api_?key)\s*[=:]\s*\S"
    r"|\b(bearer|basic) [A-Za-z0-9+/=._~-]{12,}"
)
"""Values that are hidden under any name."""

USERINFO = r"://[^/@\s]+@"
"""`user:password@` in a URL: only this part is hidden, where the rest goes is a fact."""

_NAMES, _VALUES, _USERINFO = re.compile(NAMES), re.compile(VALUES), re.compile(USERINFO)


def redact_text(text: str) -> str:
    """`text` without passwords in URLs; lines that hold a secret are hidden whole."""
    lines = _USERINFO.sub(f"://{REDACTED}@", text).split("\n")
    return "\n".join(REDACTED if _VALUES.search(line) else line for line in lines)


def redact(name: str, value: str) -> str:
    """The value of a variable or option called `name`, or what may be shown of it."""
    if value and _NAMES.search(name):
        return REDACTED
    hidden = _USERINFO.sub(f"://{REDACTED}@", value)
    return REDACTED if _VALUES.search(hidden) else hidden
