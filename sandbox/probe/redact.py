r"""What a secret looks like, for messages: used by sed on our own machines, and for tools here.

This list does not decide what may leave a server; `known/` does.

The patterns use only what POSIX extended expressions, Perl's and Python's have in common: groups,
classes such as [:alnum:], counts, and GNU's `\b`. All ignore upper and lower case.
"""

import re

REDACTED = "<redacted>"
"""Stands in place of a secret's value."""

_WORDS = (
    r"TOKEN|PASSW|PASSPHRASE|SECRET|CREDENTIAL|COOKIE|PRIVATE|KEY|SIGNATURE|WEBHOOK"
    r"|CONN(ECTION)?_?STR"
)
_SHORT_WORDS = r"(PAT|PASS|PWD|DSN|SALT)([_.-]|[0-9]*$)|AUTH[0-9]*$"
NAMES = rf"({_WORDS}|(^|[_.-])({_SHORT_WORDS}))"
"""Names of variables and options: their values are always hidden."""

NOT_NAMES = r"^(.*(KEYBOARD|KEYMAP|MONKEY|KEYWORD).*|PRIVATE(TMP|DEVICES|USERS|NETWORK))$"
"""Names that may be shown although `NAMES` matches them."""

PATH_NAMES = r"^(PWD|OLDPWD|XAUTHORITY|SSH_AUTH_SOCK)$"
"""Names of paths; under such a name, a value without a slash at its start may be a password."""

SHAPES = (
    # GitHub, GitLab, Slack, Hugging Face, npm, PyPI, Docker, DigitalOcean, Databricks, Linear
    r"\b(gh[pousr]_|github_pat_|glpat-|gl[a-z]{2,5}t-|xox[abeoprs]-|xapp-|hf_|npm_|pypi-|dckr_pat_)"
    r"[A-Za-z0-9_-]{12,}",
    r"\b(do[opr]_v1_|dapi|lin_api_|shpat_|shpss_|NRAK-|sntrys_|hvs\.|hvb\.)[A-Za-z0-9_-]{12,}",
    # OpenAI and others, Stripe, SendGrid, Mailgun, Google, AWS
    r"\b(sk|rk|pk|whsec)[-_][A-Za-z0-9_-]{12,}|\bSG\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"\bkey-[0-9a-f]{20,}|\bAIza[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{12,}",
    r"\bGOCSPX-[A-Za-z0-9_-]+",
    r"\b(AKIA|ASIA|AGPA|AROA)[A-Z0-9]{12,}",
    # Telegram, Slack's and Discord's web hooks, Azure's and AWS's signatures in URLs
    r"\b[0-9]{8,10}:[A-Za-z0-9_-]{30,}|hooks\.slack\.com/services/[A-Za-z0-9/_-]+",
    r"/webhooks?/[0-9]+/[A-Za-z0-9_-]+|[?&](sig|sv|X-Amz-Signature|X-Amz-Credential)=[^&[:space:]]+",
    # JSON web tokens, private keys, age, the password field of crypt(3)
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY",
    r"AGE-SECRET-KEY-[A-Z0-9]+",
    r"\$(1|2[aby]|5|6|7|y)\$[^[:space:]:]{8,}",
    # `password=…` and the like within a value: connection strings, command lines, query strings
    r"(password|passwd|passphrase|pwd|secret|token|(api|access|account)_?key)"
    r"[\"']?[[:space:]]*[=:][[:space:]]*[^[:space:];&|<\x02]+",
    r"--?(password|passwd|pass|token|secret|api-?key)[=[:space:]]+[^[:space:]]+",
    r"\b(curl|wget)[[:space:]].*(-u|--user)[=[:space:]]*[^[:space:]]+",
    r"\b(bearer|basic|digest|token|key) [A-Za-z0-9+/=._~-]{12,}",
    r"\bmachine [^[:space:]]+ login [^[:space:]]+ password [^[:space:]]+",
    # No shape but length: hexadecimal and base64 keys
    r"[A-Za-z0-9+]{32,}={0,2}|\b[A-Za-z0-9_+-]{20,}[0-9][A-Za-z0-9_+-]{11,}",
)
"""Values that are hidden under any name."""

USERINFO = (r"://[^/[:space:]\"',]*@", r"://[^/@[:space:]\"',]*:[^@[:space:]\"',]*@")
"""`user:password@` in a URL: only this part is hidden, because the address is a fact. The second
pattern is for passwords with a slash in them."""

VALUES = "|".join(f"({shape})" for shape in SHAPES)


def _python(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("[:space:]", r"\s"), re.IGNORECASE)


_NAMES, _NOT_NAMES, _PATH_NAMES = _python(NAMES), _python(NOT_NAMES), _python(PATH_NAMES)
_VALUES = _python(VALUES)
_USERINFO = tuple(_python(pattern) for pattern in USERINFO)


def redact_text(text: str) -> str:
    """Redact passwords in the URLs of `text`; lines that hold a secret are hidden whole."""
    lines = _without_userinfo(text).split("\n")
    return "\n".join(REDACTED if _VALUES.search(line) else line for line in lines)


def redact(name: str, value: str) -> str:
    """Redact the value of a variable or option called `name`, as far as it may not be shown."""
    if value and _NAMES.search(name) and not _may_be_seen(name, value):
        return REDACTED
    hidden = _without_userinfo(value)
    return REDACTED if _VALUES.search(hidden) else hidden


def _may_be_seen(name: str, value: str) -> bool:
    is_path = value.startswith("/") and _PATH_NAMES.search(name) is not None
    return is_path or _NOT_NAMES.search(name) is not None


def _without_userinfo(text: str) -> str:
    for pattern in _USERINFO:
        text = pattern.sub(f"://{REDACTED}@", text)
    return text


# `[^…]` of a value that may be shown because it is a path: its slash was marked before
_MARK = r"\x02"
_LONG_WORDS = (
    rf"({_WORDS})[[:alnum:]_.-]*|([_.-]|\b)(PAT|PASS|PWD|DSN|SALT)[0-9]*\b|\b[[:alnum:]_.-]*AUTH\b"
)
_NAME = rf"[\"']?[[:alnum:]_.-]*({_LONG_WORDS})[\"']?"
_SPOKEN = "(password|passwd|passphrase|secret|token)"
_TWO_LINES = f"{{s~.*~{REDACTED}~;N;s~.*~{REDACTED}~;b;}}"
_SEP = r"[[:space:]]*(=|:|<-)[[:space:]]*"


def sed_program() -> str:
    """Write a program for `sed -E` that hides secrets in configuration files, code and messages.

    Comments are removed first: a comment is not a fact, and may well be an old password.
    """
    path_names = r"(FILE|PATH|DIR|HOME|SOCK|AUTHORITY|CAINFO)"
    lines = [
        # A private key, to its end or to the end of the file
        f"/-----BEGIN [A-Z ]*PRIVATE KEY/,/-----END [A-Z ]*PRIVATE KEY/{{s~.*~{REDACTED}~;b;}}",
        r"/^[[:space:]]*[#;]/d",
        "/^[[:space:]]*$/d",
        *(f"s~{pattern}~://{REDACTED}@~gI" for pattern in USERINFO),
        # A name that ends in FILE, PATH, …, or PWD itself, may show its path
        rf"s~({path_names}[\"']?[[:space:]]*[=:][[:space:]]*[\"']?)/~\1{_MARK}~gI",
        rf"s~^((export )?(OLD)?PWD=)/~\1{_MARK}~",
        # Words with "key" in them that are no keys, such as keyboard and monkey
        r"s~(K)(EY(BOARD|MAP|WORD))~\1\x03\2~gI; s~(MONK)(EY)~\1\x03\2~gI",
        r"s~(PRIVAT)(E(TMP|DEVICES|USERS|NETWORK))~\1\x03\2~gI",
        # A value that is cut into two lines is hidden whole
        rf"/{_NAME}[[:space:]]*(=|:|<-|,|\()[[:space:]]*$/I{_TWO_LINES}",
        rf"/{_NAME}.*\\$/I{_TWO_LINES}",
        # From the first secret name on, the rest of the line: a value may have spaces, or be code
        rf"s~({_NAME}({_SEP}|[\"']?[[:space:]]*,[[:space:]]*))[^[:space:]{_MARK}].*~\1{REDACTED}~I",
        rf"s~^(.*\b{_SPOKEN})[[:space:]]+[^[:space:]=:].*~\1 {REDACTED}~I",
        *(f"s~{shape}~{REDACTED}~gI" for shape in SHAPES),
        rf"s~{_MARK}~/~g; s~\x03~~g",
    ]
    return "\n".join(lines)
