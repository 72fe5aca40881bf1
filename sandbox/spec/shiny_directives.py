"""The directives of Shiny Server's open-source edition: which there are, where, and since when.

The facts are those of the program's own table of rules (`shiny-server-rules.config`), in which each
directive has its places and the types of its words; the versions are those of the releases whose
table has it for the first time. A key of a box has the directive's own name.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Place = Literal["top", "server", "location"]
Kind = Literal["flag", "whole", "number", "text", "words", "list"]
"""`words` is one text of several words in a box, `list` a list."""
Setting = bool | int | float | str | tuple[str, ...]
_ANYWHERE: Final[tuple[Place, ...]] = ("top", "server", "location")
_TOP: Final[tuple[Place, ...]] = ("top",)
_HOSTED: Final[tuple[Place, ...]] = ("location",)


@dataclass(frozen=True)
class Directive:
    """One directive."""

    name: str
    kind: Kind
    since: str
    """The first version of Shiny Server that knows it."""
    places: tuple[Place, ...] = _ANYWHERE


def _directives() -> Mapping[str, Directive]:
    found = (
        Directive("run_as", "words", "0.4.0"),
        Directive("access_log", "words", "0.4.0", _TOP),
        Directive("http_keepalive_timeout", "number", "1.5.2", _TOP),
        Directive("http_allow_compression", "flag", "1.5.7", _TOP),
        Directive("sockjs_heartbeat_delay", "number", "1.5.2", _TOP),
        Directive("sockjs_disconnect_delay", "number", "1.5.2", _TOP),
        Directive("preserve_logs", "flag", "1.4.0", _TOP),
        Directive("allow_app_override", "flag", "0.4.0", _TOP),
        Directive("server_name", "list", "0.4.0", ("server",)),
        Directive("app_init_timeout", "whole", "0.4.0"),
        Directive("app_idle_timeout", "whole", "0.4.0"),
        Directive("simple_scheduler", "whole", "0.4.0"),
        Directive("sanitize_errors", "flag", "1.4.2"),
        Directive("reconnect", "flag", "1.4.1"),
        Directive("disable_websockets", "flag", "1.1.0"),
        Directive("disable_protocols", "list", "1.4.0"),
        Directive("directory_index", "flag", "0.4.0"),
        Directive("log_dir", "text", "0.4.0"),
        Directive("log_file_mode", "text", "1.5.7"),
        Directive("log_as_user", "flag", "1.4.1"),
        Directive("bookmark_state_dir", "text", "1.4.2"),
        Directive("template_dir", "text", "1.0.0"),
        Directive("members_of", "list", "0.4.0"),
        Directive("frame_options", "words", "1.5.4"),
        Directive("google_analytics_id", "text", "0.4.0"),
        Directive("python", "text", "1.5.19"),
        Directive("site_dir", "text", "0.4.0", _HOSTED),
        Directive("app_dir", "text", "0.4.0", _HOSTED),
        Directive("user_dirs", "flag", "1.1.0", _HOSTED),
        Directive("redirect", "words", "0.4.0", _HOSTED),
    )
    return {one.name: one for one in found}


DIRECTIVES: Final = _directives()
"""By name, in the order in which they are written."""

PRO_ONLY: Final = frozenset(
    {"admin", "app_session_timeout", "auth_active_dir", "auth_duration", "auth_google"}
    | {"auth_ldap", "auth_pam", "auth_passwd_file", "auth_proxy", "exec", "exec_supervisor"}
    | {"graphite_enabled", "license_type", "metrics_user", "pam_sessions_profile", "r_path"}
    | {"required_group", "required_user", "ssl", "ssl_min_version", "utilization_scheduler"}
    | {"whitelist_headers"}
)
"""Directives that only Shiny Server Pro knows: at one of them the open-source one ends."""

OTHERWISE: Final[Mapping[str, str]] = {
    "listen": "It is `port` and `host` in a box",
    "server": "Further ones are a list, `servers`",
    "location": "They are a list, `locations`",
    "user_apps": "It is deprecated: write `user_dirs: true` in one of `locations`",
    "application": "Shiny Server ends at this directive: write one of `locations`",
    "timeout": "There are `app_init_timeout` and `app_idle_timeout`",
}
"""Words that people look for, and what a box says in their place."""

PACKAGED: Final[Mapping[str, str]] = {"bookworm": "1.5.20", "trixie": "1.5.20", "noble": "1.5.20"}
"""The version of each release's package of Shiny Server."""


def knows(version: str, directive: Directive) -> bool:
    """Tell whether that version of Shiny Server knows the directive."""
    return _numbers(version) >= _numbers(directive.since)


def words_of(directive: Directive, value: Setting) -> tuple[str, ...]:
    """Return the words of a directive, without quotes."""
    match value:
        case bool():
            return ("true" if value else "false",)
        case int() | float():
            return (f"{value:g}" if isinstance(value, float) else str(value),)
        case tuple():
            return value
        case _:
            return tuple(value.split()) if directive.kind == "words" else (value,)


def read_words(directive: Directive, words: Sequence[str]) -> Setting | None:
    """Read the words of a directive as a box says it; None when a box cannot."""
    match directive.kind:
        case "list":
            return tuple(words)
        case "words":
            return " ".join(words) if words else None
        case _:
            return _read_word(directive.kind, words[0] if words else None, len(words))


def _read_word(kind: Kind, word: str | None, count: int) -> Setting | None:
    if word is None:
        return True if kind == "flag" else None
    if count > 1:
        return None
    if kind == "flag":
        flags = dict.fromkeys(("true", "yes", "on"), True) | dict.fromkeys(
            ("false", "no", "off"), False
        )
        return flags.get(word.lower())
    if kind == "whole":
        return int(word) if re.fullmatch(r"[0-9]{1,9}", word) else None
    if kind == "number":
        return float(word) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", word) else None
    return word


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
