"""Which texts and numbers a box may hold: their patterns, and what each means in words.

The patterns are for early, clear messages, not for safety: what ends up in a shell, in Ruby or in
YAML is quoted where it is rendered. Editors read them, too, as ECMA-262 with the flag `u`: an
escape that means nothing there makes the whole schema invalid.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
_ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_DEBIAN_PACKAGE = r"^[a-z0-9][a-z0-9+.-]+$"
R_PACKAGE: Final = r"^[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]$"
_R_VERSION = r"^[0-9]+\.[0-9]+(\.[0-9]+)?$"
_R_BUILD = r"^([0-9]+\.[0-9]+(\.[0-9]+)?|devel|next)$"
_R_OPTION = r"^[A-Za-z.][A-Za-z0-9._]*$"
_REPO_NAME = r"^[A-Za-z][A-Za-z0-9_.]*$"
_REPO_URL = r"""^(https?|file)://[^\s'"\\]+$"""
_HTTP_URL = r"""^https?://[^\s'"\\]+$"""
_PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
_USER_NAME = r"^[a-z_][a-z0-9_-]{0,30}$"
_R_CODE = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"
_BASE_NAME = r"^[a-z0-9][a-z0-9.-]*$"
_TIMEZONE = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"
_LOCALE = r"^[A-Za-z0-9_.@-]+$"
SUITE: Final = r"^[a-z]+$"
_VAGRANT_BOX = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"
_VAGRANT_VERSION = r"^[0-9][A-Za-z0-9.+-]*$"
_SHA256 = r"^[0-9a-f]{64}$"
_SNAPSHOT = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_MACHINE_PATH = r"""^/[^\s"'\\;{}#\x00-\x1f\x7f-\x9f\u2028\u2029]*$"""
_ACCESS_LOG = r"""^/[^\s"'\\;{}#\x00-\x1f\x7f-\x9f]+( (default|short|tiny|dev|combined))?$"""
_URL_PATH = r"^/[A-Za-z0-9._~/-]*$"
_OCTAL_MODE = r"^0?[0-7]{3}$"
_SHINY_ACCOUNT = r"^(:HOME_USER:|[a-z_][a-z0-9_-]{0,30})( [a-z_][a-z0-9_-]{0,30})*$"
_FRAME_OPTIONS = r"""^(allow|deny|sameorigin|allow-from https?://[^\s'"\\;{}#]+)$"""
_HOST_NAME = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"
_WORD_TEXT = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
RSTUDIO_VERSION: Final = r"^20[0-9]{2}\.(0[1-9]|1[0-2])\.[0-9]{1,3}\+[0-9]{1,5}$"
_SETTING_NAME = r"^[A-Za-z][A-Za-z0-9_.-]*$"
# No blank at either end: RStudio's readers of files differ in what they do with it
_SETTING_TEXT = r"^[^\x00-\x20\x7f-\xa0\u2028\u2029]([^\x00-\x1f\x7f-\x9f\u2028\u2029]*[^\x00-\x20\x7f-\xa0\u2028\u2029])?$"  # noqa: E501
_FRONT_PATH = r"^(/[A-Za-z0-9_-]+)+$"
_HOME_PATH = r"^(\.|[A-Za-z0-9_][A-Za-z0-9._ -]*(/[A-Za-z0-9_][A-Za-z0-9._ -]*)*)$"
_IP_ADDRESS = r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]+)$"
_HOST_PORT = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[0-9]{1,5}$"
_REMOTE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$"

PATTERN_WORDS: Final[dict[str, str]] = {
    _ONE_LINE: "one line of text without control characters",
    _ENV_NAME: "a variable name of letters, digits and underscores, such as OMP_NUM_THREADS",
    _DEBIAN_PACKAGE: "the name of a Debian package, such as libpq-dev",
    R_PACKAGE: "the name of an R package, such as data.table",
    _R_VERSION: 'an R version in quotes, such as "4.2" or "4.2.2"',
    _R_BUILD: 'an R version in quotes, such as "4.2" or "4.2.2"',
    _R_OPTION: "the name of an R option, such as digits",
    _REPO_NAME: "a repository's name, such as CRAN",
    _REPO_URL: "a URL that starts with http://, https:// or file://",
    _HTTP_URL: "a URL that starts with http:// or https://",
    _PLAIN_NAME: "a name of letters, digits, dashes and underscores, 63 at most",
    _USER_NAME: "a Linux user or group name: lower case letters, digits, dashes, underscores",
    _R_CODE: "R code without control characters",
    _BASE_NAME: "the name of a base, such as debian-12",
    _TIMEZONE: "an IANA time zone, such as Europe/Vienna",
    _LOCALE: "a locale, such as en_US.UTF-8",
    SUITE: "a Debian release's code name, such as bookworm",
    _VAGRANT_BOX: "the name of a Vagrant box, such as debian/bookworm64",
    _VAGRANT_VERSION: "the version of a Vagrant box, such as 12.20250126.1",
    _SNAPSHOT: "a day, such as 2024-06-13",
    _SHA256: "a SHA-256 checksum: 64 digits and letters from a to f",
    _MACHINE_PATH: "a path on the machine that begins with a slash, without blanks or quotes",
    _ACCESS_LOG: "a file of the machine, perhaps with a form: /var/log/access.log combined",
    _URL_PATH: "a place in a URL that begins with a slash, such as /sales",
    _OCTAL_MODE: 'three octal digits in quotes, such as "0640"',
    _SHINY_ACCOUNT: "the name of an account, such as shiny",
    _FRAME_OPTIONS: "allow, deny, sameorigin or `allow-from URL`",
    _HOST_NAME: "the name of a host, such as apps.example.org",
    _WORD_TEXT: "one word of letters, digits, dots and dashes",
    RSTUDIO_VERSION: "a version of RStudio Server with its build, such as 2024.12.0+467",
    _SETTING_NAME: "the name of a setting, such as auth-timeout-minutes",
    _SETTING_TEXT: "one line of text, without blanks at its beginning and its end",
    _FRONT_PATH: "a path such as /rstudio, without a slash at its end",
    _HOME_PATH: "a folder below a home, such as course/data, without a slash at its beginning",
    _IP_ADDRESS: "the address of a network card, such as 192.0.2.7",
    _HOST_PORT: "a host and its port, such as mirror.example.org:443",
    _REMOTE_NAME: "the name of an Incus remote, as `incus remote list` says it",
    _MOMENT: "a day, a time and its offset, such as 2026-12-01T09:00+01:00",
}
"""What each pattern means, for error messages."""

Text = Annotated[str, StringConstraints(pattern=_ONE_LINE, max_length=4096)]
"""One line, no control characters."""
FileName = Annotated[str, StringConstraints(pattern=_ONE_LINE, min_length=1, max_length=4096)]
"""A path; one that is not absolute is relative to the box file that says it."""
EnvName = Annotated[str, StringConstraints(pattern=_ENV_NAME, max_length=128)]
DebianPackage = Annotated[str, StringConstraints(pattern=_DEBIAN_PACKAGE, max_length=128)]
RPackage = Annotated[str, StringConstraints(pattern=R_PACKAGE, max_length=128)]
RText = Annotated[str, StringConstraints(pattern=_R_CODE, min_length=1, max_length=4096)]
RVersion = Annotated[str, StringConstraints(pattern=_R_VERSION, max_length=32)]
RBuild = Annotated[str, StringConstraints(pattern=_R_BUILD, max_length=32)]
"""A version of R, or the name of one of Posit's builds that change every day."""
ROption = Annotated[str, StringConstraints(pattern=_R_OPTION, max_length=128)]
RepoName = Annotated[str, StringConstraints(pattern=_REPO_NAME, max_length=128)]
RepoUrl = Annotated[str, StringConstraints(pattern=_REPO_URL, max_length=2048)]
HttpUrl = Annotated[str, StringConstraints(pattern=_HTTP_URL, max_length=2048)]
PlainName = Annotated[str, StringConstraints(pattern=_PLAIN_NAME)]
UserName = Annotated[str, StringConstraints(pattern=_USER_NAME)]
BaseName = Annotated[str, StringConstraints(pattern=_BASE_NAME, max_length=64)]
Timezone = Annotated[str, StringConstraints(pattern=_TIMEZONE, max_length=64)]
Locale = Annotated[str, StringConstraints(pattern=_LOCALE, max_length=64)]
VagrantBox = Annotated[str, StringConstraints(pattern=_VAGRANT_BOX, max_length=128)]
VagrantVersion = Annotated[str, StringConstraints(pattern=_VAGRANT_VERSION, max_length=64)]
Sha256 = Annotated[str, StringConstraints(pattern=_SHA256)]
SnapshotDate = Annotated[str, StringConstraints(pattern=_SNAPSHOT)]
"""A day; whether the month has it is checked beyond the models."""
MachinePath = Annotated[str, StringConstraints(pattern=_MACHINE_PATH, max_length=1024)]
"""A path on the machine that the box describes."""
AccessLog = Annotated[str, StringConstraints(pattern=_ACCESS_LOG, max_length=1024)]
"""A path on the machine, and perhaps a word for the form of its lines."""
UrlPath = Annotated[str, StringConstraints(pattern=_URL_PATH, max_length=256)]
OctalMode = Annotated[str, StringConstraints(pattern=_OCTAL_MODE)]
ShinyAccount = Annotated[str, StringConstraints(pattern=_SHINY_ACCOUNT, max_length=256)]
"""One or more accounts, with a blank between them."""
FrameOptions = Annotated[str, StringConstraints(pattern=_FRAME_OPTIONS, max_length=1024)]
HostName = Annotated[str, StringConstraints(pattern=_HOST_NAME, max_length=253)]
WordText = Annotated[str, StringConstraints(pattern=_WORD_TEXT, max_length=64)]
RstudioVersionText = Annotated[str, StringConstraints(pattern=RSTUDIO_VERSION, max_length=32)]
SettingName = Annotated[str, StringConstraints(pattern=_SETTING_NAME, max_length=128)]
SettingText = Annotated[str, StringConstraints(pattern=_SETTING_TEXT, max_length=4096)]
FrontPath = Annotated[str, StringConstraints(pattern=_FRONT_PATH, max_length=128)]
HomePath = Annotated[str, StringConstraints(pattern=_HOME_PATH, max_length=1024)]
"""A folder below a user's home; a dot for the home itself."""
IpAddress = Annotated[str, StringConstraints(pattern=_IP_ADDRESS, max_length=45)]
HostPort = Annotated[str, StringConstraints(pattern=_HOST_PORT, max_length=260)]
RemoteName = Annotated[str, StringConstraints(pattern=_REMOTE_NAME, max_length=128)]
Moment = Annotated[str, StringConstraints(pattern=_MOMENT, max_length=32)]
"""Whether the calendar has it is checked beyond the models."""
Architecture = Literal["amd64", "arm64"]
BootSeconds = Annotated[int, Field(ge=10, le=7200)]
Port = Annotated[int, Field(ge=1, le=65535)]
