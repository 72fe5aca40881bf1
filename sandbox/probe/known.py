"""What is known to be harmless: a value by its grammar, whatever its name."""

import re

_WORD = r"[a-z][a-z0-9]{0,14}"
_HARMLESS = re.compile(
    # Numbers, sizes, durations, versions, dates
    r"[-+]?[0-9]{1,10}(\.[0-9]{1,6})?([eE][-+]?[0-9]{1,3})?( ?([kKMGT]i?B?|ms|s|m|min|h|d|%))?"
    r"|[0-9]{1,4}([.-][0-9]{1,4}){1,3}"
    # Switches, one sign
    r"|(?i:true|false|yes|no|on|off|none|null|na|t|f)|[,.;:|_-]?"
    # Locales, character sets, time zones
    r"|(C|POSIX|[a-z]{2,3}_[A-Z]{2})(\.[Uu][Tt][Ff]-?8|\.ISO-?8859-[0-9]{1,2})?|[Uu][Tt][Ff]-?8"
    r"|(Africa|America|Asia|Atlantic|Australia|Etc|Europe|Pacific)/[A-Za-z_]{2,20}(/[A-Za-z_]{2,20})?|UTC"
    # Absolute paths and URLs of plain words, without user, query and fragment
    rf"|(/({_WORD}|[0-9.-]{{1,10}}|R))+/?"
    rf"|https?://[a-z0-9.-]{{1,100}}(:[0-9]{{1,5}})?(/({_WORD}|[0-9.-]{{1,10}}))*/?"
)


def harmless(name: str, value: str) -> bool:
    """Whether the value of a variable, option or key of that name may be seen by anybody."""
    del name
    return _HARMLESS.fullmatch(value) is not None
