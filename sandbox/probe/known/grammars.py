"""Grammars of values that tell nothing: numbers, sizes, paths, locales, plain URLs and the like.

Each is a POSIX extended expression that Python and every awk read alike. A count such as `{1,3}`
stands only after a class in brackets: mawk does not know counts, and `for_awk` writes them out.

None of them takes a text without a shape. What a word, a segment of a path or a part of a host's
name may look like is said positively: letters of one case with a few digits behind them. A token,
a key or a password made by a program has letters and digits mixed, and is none of them.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LONGEST: Final = 1000
"""No value of more characters is taken, whatever it looks like."""
LONGEST_RUN: Final = 31
"""Of letters and digits in a row; keys in hexadecimal and base64 have more."""

# Names with capitals inside, as they stand in paths
_MIXED = (
    "RStudio|OpenBLAS|LaTeX|TeX|TinyTeX|PostgreSQL|MySQL|MariaDB|NetCDF|GitHub|GitLab|BioC"
    "|BioCsoft|BioCann|BioCexp|FreeTDS|SQLite|OpenJDK|ImageMagick|DuckDB|MongoDB|unixODBC|ODBC"
)
_LETTERS = (
    "[a-z]+|[A-Z]+|[A-Z][a-z]+|[a-z][a-z]+[A-Z][a-z][a-z]+|[A-Z][a-z][a-z]+[A-Z][a-z][a-z]+"
    f"|{_MIXED}"
)
WORD: Final = f"(({_LETTERS})[0-9]{{0,4}}([+][+])?|[0-9]{{1,8}}[a-z]{{0,3}})"
"""`openblas`, `lib64`, `JAVA17`, `19c`, `20240501`; not `x9Kq2Lm`."""

_SEGMENT = f"[._~+-]?[._]?{WORD}([._+~@=-][._-]?{WORD})*_?_?"
_RANDOM = "(Rtmp|tmp[.]|systemd-private-|rs-)[A-Za-z0-9._-]+"
_PATH = rf"(/|~?(/({_SEGMENT}|[.][.]?))+/?|~/?)"
_VARIABLE = r"([$][A-Za-z_]+|[$][{][A-Za-z_]+[}]|%[A-Za-z])"
_EXPANDED = (
    rf"({_PATH}|{_VARIABLE}(/({_SEGMENT}|{_VARIABLE}))*/?"
    rf"|~?(/({_SEGMENT}|{_VARIABLE}))+/?|[.]|/tmp/{_RANDOM}|/dev/shm/{_RANDOM})"
)

_LABEL = "([a-z]+[0-9]{0,4}|[A-Z]+[0-9]{0,4}|[0-9]{1,4}[a-z]{0,3})"
_NAME = f"{_LABEL}(-{_LABEL})*"
_IP4 = "[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}"
_IP6 = r"([0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*|\[[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*\])"
_HOST = rf"({_NAME}([.]{_NAME})*|{_IP4}|{_IP6})"
_PORT = "[0-9]{1,5}"
_HOSTS_ITEM = rf"([*]|[*]?[.]?{_HOST}(/[0-9]{{1,2}})?(:{_PORT})?)"

# What stands in the paths of repositories, beside short words, dates and versions
_KNOWN = (
    "repository|repositories|artifactory|packagemanager|bioconductor|distribution|distributions"
    "|production|development|enterprise|integration|experimental|__linux__|centos[789]|rhel[789]"
    "|opensuse[0-9]{1,3}|manylinux_2_28|CRAN|BioC|RSPM|PPM|R|x86_64|aarch64|arm64"
)
_PART = rf"({_KNOWN}|[a-z]{{2,10}}[0-9]{{0,2}}|[a-z]|v?[0-9]{{1,8}}([.][0-9]{{1,4}})*)"
_URL = rf"((https?|ftp|socks5h?)://{_HOST}(:{_PORT})?(/{_PART}([._-]{_PART})*)*/?|file://{_PATH})"

_SWITCH = (
    "TRUE|FALSE|True|False|true|false|T|F|yes|no|Yes|No|YES|NO|y|n|on|off|On|Off|ON|OFF|0|1"
    "|enabled|disabled|enable|disable|auto|default|none|NA|NULL|never|always"
)
_NUMBER = "([-+]?[0-9]+([.][0-9]*)?([eE][-+]?[0-9]{1,3})?L?|[-+]?Inf|0x[0-9a-fA-F]{1,8})"
_SIZE = (
    "([0-9]+([.][0-9]+)? ?([kKmMgGtT]i?[bB]?|[bB]|bytes)?|infinity|unlimited|-1"
    "|[0-9]{1,3}([.][0-9])?%)"
)
_TIME = (
    "[0-9]+([.][0-9]+)? ?(us|ms|s|secs?|seconds?|m|min|mins|minutes?|h|hours?|d|days?|w|weeks?"
    "|months?|y|years?)?"
)
_CODE_SET = (
    "utf-?8|UTF-?8|iso-?8859-?[0-9]{1,2}|ISO-?8859-?[0-9]{1,2}|ASCII|ANSI_X3[.]4-1968|koi8-?[ru]"
    "|KOI8-?[RU]|euc[a-z]{2,3}|EUC-?[A-Z]{2,3}|gb[0-9k]{2,5}|GB[0-9K]{2,5}|big5|BIG5|cp125[0-9]"
    "|CP125[0-9]"
)
_LOCALE = rf"((C|POSIX|[a-z]{{2,3}}(_[A-Z]{{2,3}})?)([.]({_CODE_SET}))?(@[a-z]{{4,10}})?)"
_CHARSET = (
    f"{_CODE_SET}|utf8mb4|UTF-16|UTF-16LE|latin-?1|US-ASCII|native[.]enc|bytes|unknown"
    "|windows-125[0-9]|AL32UTF8|WE8ISO8859P[0-9]{1,2}"
)
_ZONE = (
    ":?(UTC|GMT|UCT|Zulu|Universal|[A-Z]{3,4}|[A-Z]{3,4}[-+]?[0-9]{1,2}([A-Z]{3,4})?"
    "|((posix|right)/)?(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada"
    "|Chile|Etc|Europe|Indian|Mexico|Pacific|US)(/[A-Z][A-Za-z_-]+([-+]?[0-9]{1,2})?)+"
    "|Cuba|Egypt|Eire|Hongkong|Iceland|Iran|Israel|Jamaica|Japan|Libya|Navajo|Poland|Portugal"
    "|Singapore|Turkey|GB|NZ|GB-Eire|W-SU)"
)
_VERSION = "[vV]?[0-9]{1,8}([.:_-][0-9]{1,8})*([-+~.]{1,2}[a-z]{0,7}[0-9]{0,8})*"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{5,8}Z?)?|[0-9]{8}"
_PACKAGE = "[A-Za-z][A-Za-z]*[0-9]{0,3}[A-Za-z]{0,4}([.][A-Za-z]+[0-9]{0,2})*"
_ACCOUNT = rf"_?{WORD}([._-][_-]?{WORD})*(@{_NAME}([.]{_NAME})*)?[$]?"
_FLAG = (
    "(-O[0-3sg]?|-Ofast|-g[0-9]?|-[fmW][a-z]+(-[a-z0-9]{1,12})*(=[a-z0-9]{1,12}(-[a-z0-9]{1,8})*)?"
    rf"|-ffile-prefix-map={_PATH}=[.]|-ffile-prefix-map=/build/r-base-[A-Za-z0-9]+/{_SEGMENT}=[.]"
    rf"|-std=[a-z+0-9]{{2,6}}|-[IL] ?{_PATH}|-l[a-z]+[0-9]{{0,2}}|-pipe|-pthread|-fPIC|-s|-k|-j"
    "|-[jl] ?[0-9]{1,3}|-Wl,-[a-zA-Z]+(,[-a-z0-9]+)*|-Wp,-D_FORTIFY_SOURCE=[0-3]"
    "|-D[A-Z_]+(=[0-9]{1,4})?)"
)
_JVM = (
    "(-X(mx|ms|ss|mn)[0-9]+[kKmMgG]?|-Xrs|-server|-XX:[-+][A-Z][A-Za-z0-9]+"
    "|-XX:[A-Z][A-Za-z]+=[0-9]+[kmgKMG]?|-Djava[.]awt[.]headless=(true|false)"
    "|-Dfile[.]encoding=[A-Za-z0-9-]{3,12}|-Duser[.](language|country|timezone)=[A-Za-z_/]+"
    rf"|-Djava[.]io[.]tmpdir={_PATH}|-Djava[.]net[.]preferIPv4Stack=(true|false))"
)
_MODE = (
    "production|prod|prd|staging|stage|stg|test|testing|tst|development|devel|dev|qa|uat|default"
    "|local|ci|demo|training|preview|integration|preprod|acceptance|shinyapps|rsconnect|connect"
)
_PROGRAM = (
    "vi|vim|nvim|nano|emacs|ed|less|more|cat|pager|sed|tar|gtar|make|gmake|xdg-open|firefox"
    "|(ccache )?(gcc|g[+][+])(-[0-9]{1,2})?|clang|clang[+][+]|gfortran|cc|c[+][+]"
    "|chromium|google-chrome|evince|xpdf|false|true|bash|sh|zsh|fish|unzip|zip|gzip|bzip2|xz|ln -s"
    "|lpr|pdflatex|xelatex|lualatex|latexmk|texi2dvi|python3?|java|javac|curl|wget|git|strip"
    "|less -[A-Za-z]{1,6}|(gcc|g[+][+]) -std=[a-z0-9+]{2,6}|ranlib|ar|perl|bwidget"
)
_DRIVER_WORD = f"({_LETTERS}|[0-9]{{1,3}}([.][0-9]{{1,3}})*|[(]x64[)])"

_GRAMMARS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "number": _NUMBER,
        "numbers": rf"{_NUMBER}([,: ] ?{_NUMBER})*",
        "size": _SIZE,
        "time": rf"{_TIME}( {_TIME})*|infinity|-1",
        "switch": _SWITCH,
        "locale": _LOCALE,
        "locales": rf"{_LOCALE}(:{_LOCALE})*",
        "charset": _CHARSET,
        "zone": rf"{_ZONE}|:?/usr/share/zoneinfo/{_ZONE}",
        "version": _VERSION,
        "date": _DATE,
        "package": _PACKAGE,
        "packages": rf"{_PACKAGE}([, ] ?{_PACKAGE})*",
        "host": _HOST,
        "endpoint": rf"({_HOST}|[*])?(:{_PORT})?",
        "hosts": rf"{_HOSTS_ITEM}([,; ] ?{_HOSTS_ITEM})*",
        "port": _PORT,
        "path": _EXPANDED,
        "paths": rf":?{_EXPANDED}(:({_EXPANDED})?)*",
        "files": rf"{_EXPANDED}([, ] ?{_EXPANDED})*",
        "file": _SEGMENT,
        "url": _URL,
        "urls": rf"{_URL}([, ] ?{_URL})*",
        "account": _ACCOUNT,
        "accounts": rf"{_ACCOUNT}([, ] ?{_ACCOUNT})*",
        "flags": rf"{_FLAG}( +{_FLAG})*",
        "jvm": rf"{_JVM}( +{_JVM})*",
        "mode": _MODE,
        "program": _PROGRAM,
        "octal": "[0-7]{3,4}",
        "empty": "",
        "platform": "(x86_64|aarch64|i[3-6]86|armv7l|ppc64le|s390x|riscv64)(-[a-z0-9_]{2,9})+",
        "places": "(cores|sockets|threads|ll_caches|numa_domains)([(][0-9]{1,4}[)])?"
        "|[{][0-9:,]+[}]([:,][{]?[0-9:,]+[}]?)*",
        "driver": rf"{_DRIVER_WORD}( {_DRIVER_WORD})*[0-9]{{0,2}}",
        # `name` of a variable, an option, a key; `symbol` of R's code
        "name": rf"[._]*({_LETTERS})[0-9]{{0,2}}"
        rf"([._-]+(({_LETTERS})[0-9]{{0,2}}|[0-9]{{1,3}}))*[._]*",
    }
)
_COUNTED = re.compile(r"(?<!\\)(\[[^]]+\])\{(\d+)(?:,(\d+))?\}")


def pattern(name: str) -> str:
    """The grammar as an expression for the whole value."""
    return f"^({_GRAMMARS[name]})$"


def for_awk(name: str) -> str:
    """The same for any awk."""
    return without_counts(pattern(name))


def without_counts(expression: str) -> str:
    """`expression` with nested optional parts for counts: there is one way to match."""
    return _COUNTED.sub(_written_out, expression)


def _written_out(found: re.Match[str]) -> str:
    atom, low = found[1], int(found[2])
    optional = ""
    for _ in range((int(found[3]) if found[3] else low) - low):
        optional = f"({atom}{optional})?"
    return atom * low + optional


def grammar_names() -> tuple[str, ...]:
    """All of them."""
    return tuple(_GRAMMARS)
