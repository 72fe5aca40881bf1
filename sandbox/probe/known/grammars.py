"""Grammars of harmless values: numbers, sizes, paths, locales, plain URLs and the like.

Each is a POSIX extended expression that Python and every awk read alike. A count such as `{1,3}`
stands only after a class in brackets: mawk does not know counts, and `for_awk` writes them out.

None of them matches free text. Each says what a word, a part of a path or a part of a host's name
may look like: letters of one case, with a few digits at the end. A token, key or password made by a
program mixes letters and digits, and so matches none of them.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LONGEST: Final = 1000
"""The most characters of a value that is taken."""
RUN: Final = "|".join(
    (
        "[A-Za-z0-9]" * 32,
        "[a-z]" * 21,
        "[A-Z]" * 11,
        "[0-9][0-9][0-9][0-9][-._ ]" * 2 + "[0-9][0-9][0-9][0-9]",
    )
)
"""Never in a value that is taken: keys in hexadecimal and base64, endless words, licences."""

ANY_RANGE: Final = "[A-Z]-[A-Z]|[a-z]-[a-z]|[0-9]-[0-9]"
"""Marks an expression that takes more than its listed words: a range of letters or digits."""

# Names with capitals inside, as they stand in paths
_MIXED = (
    "libodbcpsqlS|libodbcmyS|libodbctxtS|libtdsS|libsqoraS|RStudio|OpenBLAS|LaTeX|TeX|TinyTeX|PostgreSQL|MySQL|MariaDB|NetCDF|GitHub|GitLab|BioC"
    "|BioCsoft|BioCann|BioCexp|FreeTDS|SQLite|OpenJDK|ImageMagick|DuckDB|MongoDB|unixODBC|ODBC"
)
_LETTERS = (
    "[a-z]+|[A-Z]+|[A-Z][a-z]+|[a-z][a-z]+[A-Z][a-z][a-z]+|[A-Z][a-z][a-z]+[A-Z][a-z][a-z]+"
    f"|{_MIXED}"
)
_DAY = "(19|20)[0-9][0-9][01][0-9][0-3][0-9]"
_CAMEL = f"{_LETTERS}|[a-z][a-z]+([A-Z][a-z][a-z]+)+|[A-Z][A-Z]+[a-z][a-z]+"
NAME_RUN: Final = "|".join(("[A-Za-z0-9]" * 32, "[a-z]" * 21, "[A-Z]" * 16))
"""The same limit for names, which are words."""
WORD: Final = f"(({_LETTERS})[0-9]{{0,4}}([+][+])?|[0-9]{{1,4}}[a-z]{{0,3}}|{_DAY})"
"""`openblas`, `lib64`, `JAVA17`, `19c`, `20240501`; not `x9Kq2Lm`."""


def _at_most(count: int, part: str) -> str:
    """`part`, up to so many times in a row: mawk cannot count groups."""
    return f"({part}{_at_most(count - 1, part) if count > 1 else ''})?"


_SEGMENT = f"[._~+-]?[._]?{WORD}([._+~-][._-]?{WORD})*_?_?"
_PATH = rf"(/|~?(/({_SEGMENT}|[.][.]?))+/?|~/?)"
_VARIABLE = r"([$][A-Z][A-Z_]*|[$][{][A-Z][A-Z_]*[}]|%[A-Za-z])"  # of R_LIBS_USER: %p, %v
_EXPANDED = (
    rf"({_PATH}|{_VARIABLE}(/({_SEGMENT}|{_VARIABLE}(-library)?))*/?"
    rf"|~?(/({_SEGMENT}|{_VARIABLE}(-library)?))+/?|[.]|/run/user/[0-9]{{1,10}}(/{_SEGMENT})*)"
)

_LABEL = "([a-z]+[0-9]{0,4}|[a-z][0-9][a-z]|[A-Z]+[0-9]{0,4}|[0-9]{1,4}[a-z]{0,3})"
_NAME = f"{_LABEL}{_at_most(3, f'-{_LABEL}')}"
_IP4 = "[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}"
_GROUP = "[0-9a-fA-F]{0,4}"
_IP6_BARE = f"{_GROUP}:{_GROUP}{_at_most(6, f':{_GROUP}')}"
_IP6 = rf"({_IP6_BARE}|\[{_IP6_BARE}\])"
_HOST = rf"({_NAME}([.]{_NAME})*|{_IP4}|{_IP6})"
_PORT = "[0-9]{1,5}"
_HOSTS_ITEM = rf"([*]|[*]?[.]?{_HOST}(/[0-9]{{1,2}})?(:{_PORT})?)"

# Parts of the paths of repositories, in addition to short words, dates and versions
_KNOWN = (
    "repository|repositories|artifactory|packagemanager|bioconductor|distribution|distributions"
    "|production|development|enterprise|integration|experimental|__linux__|centos[789]|rhel[789]"
    "|opensuse[0-9]{1,3}|manylinux_2_28|CRAN|BioC|RSPM|PPM|R|x86_64|aarch64|arm64"
)
_PLAIN = "[a-z]{2,10}"
_NUMBERED = "(r|cran|bioc|rhel|el|fc|debian|ubuntu|centos|sles|rocky|alma|ol|python|cpp|pypi|v)"
_PART = (
    rf"({_KNOWN}|{_NUMBERED}[0-9]{{1,3}}([.][0-9]{{1,3}})?|{_PLAIN}|[a-z]|{_DAY}|[0-9]{{1,5}}"
    r"|v?[0-9]{1,4}[.][0-9]{1,3}([.][0-9]{1,3})?|20[0-9][0-9]-[01][0-9]-[0-3][0-9]"
    r"(T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z?)?)"
)
_URL_PATH = rf"(/{_PART}{_at_most(3, f'[._-]{_PART}')})*/?"
_URL = rf"((https?|ftp|socks5h?)://{_HOST}(:{_PORT})?{_URL_PATH}|file://{_PATH})"

_SWITCH = (
    "TRUE|FALSE|True|False|true|false|T|F|yes|no|Yes|No|YES|NO|y|n|on|off|On|Off|ON|OFF|0|1"
    "|enabled|disabled|enable|disable|auto|default|none|NA|NULL|never|always"
)
# More than seven digits count as a number only when they are round, in tens or in twos
_MIB = (
    8,
    10,
    15,
    16,
    20,
    25,
    30,
    32,
    40,
    50,
    60,
    64,
    75,
    80,
    100,
    128,
    150,
    200,
    250,
    256,
    300,
    350,
)
_GIB = (
    *range(1, 17),
    20,
    24,
    28,
    30,
    32,
    40,
    48,
    50,
    60,
    64,
    80,
    96,
    100,
    120,
    128,
    192,
    256,
    384,
    512,
)
_MIB_TOO = (400, 450, 500, 512, 600, 700, 750, 768, 800, 850, 900, 950, 1000)
_BYTES = "|".join(
    str(size)
    for size in sorted(
        {count << 20 for count in (*_MIB, *_MIB_TOO)}
        | {count << 30 for count in _GIB}
        | {2**31 - 1, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, 2**30 - 8, 1 << 40}
    )
    if len(str(size)) > 7  # noqa: PLR2004
)
_WHOLE = "([0-9]{1,7}|[1-9][0-9]{0,2}[0]{6,12}|[9]{8,12})"
_NUMBER = (
    rf"([-+]?{_WHOLE}([.][0-9]{{0,8}})?([eE][-+]?[0-9]{{1,3}})?L?|[-+]?Inf|0x[0-9a-fA-F]{{1,4}})"
)
_SIZE = (
    rf"({_WHOLE}([.][0-9]{{1,3}})? ?([kKmMgGtT]i?[bB]?|[bB]|bytes)?|{_BYTES}|infinity|unlimited|-1"
    "|[0-9]{1,3}([.][0-9])?%)"
)
_TIME = (
    "[0-9]{1,7}([.][0-9]{1,3})? ?(us|ms|s|secs?|seconds?|m|min|mins|minutes?|h|hours?|d|days?"
    "|w|weeks?|months?|y|years?)?"
)
_CODE_SET = (
    "utf-?8|UTF-?8|iso-?8859-?[0-9]{1,2}|ISO-?8859-?[0-9]{1,2}|ASCII|ANSI_X3[.]4-1968|koi8-?[ru]"
    "|KOI8-?[RU]|euc[a-z]{2,3}|EUC-?[A-Z]{2,3}|gb[0-9k]{2,5}|GB[0-9K]{2,5}|big5|BIG5|cp125[0-9]"
    "|CP125[0-9]"
)
_MODIFIER = "(@(euro|latin|cyrillic|valencia|devanagari|iqtelif|abegede|saaho))?"
_LOCALE = rf"((C|POSIX|[a-z]{{2,3}}(_[A-Z]{{2,3}})?)([.]({_CODE_SET}))?{_MODIFIER})"
_CHARSET = (
    f"{_CODE_SET}|utf8mb4|UTF-16|UTF-16LE|latin-?1|US-ASCII|native[.]enc|bytes|unknown"
    "|windows-125[0-9]|AL32UTF8|WE8ISO8859P[0-9]{1,2}"
)
_ZONE = (
    ":?(UTC|GMT|UCT|Zulu|Universal|[A-Z]{3,4}|[A-Z]{3,4}[-+]?[0-9]{1,2}([A-Z]{3,4})?"
    "|((posix|right)/)?(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada"
    "|Chile|Etc|Europe|Indian|Mexico|Pacific|US)(/([A-Z][a-z]+([_-]([A-Z][a-z]+|au|of|es))*|GMT[-+]?[0-9]{1,2}|McMurdo|UTC|UCT|Zulu"
    "|DumontDUrville|ComodRivadavia|Ho_Chi_Minh))+"
    "|Cuba|Egypt|Eire|Hongkong|Iceland|Iran|Israel|Jamaica|Japan|Libya|Navajo|Poland|Portugal"
    "|Singapore|Turkey|GB|NZ|GB-Eire|W-SU)"
)
_VERSION = f"[vV]?([0-9]{{1,4}}|{_DAY}){_at_most(5, f'[.:_-]([0-9]{{1,5}}|{_DAY})')}" + _at_most(
    4,
    "[-+~.]([.]?(deb|rc|beta|alpha|dev|el|fc|ubuntu|p|git|pre|bpo|dfsg|b|r|ds|nmu|build|pro|dirty"
    "|patched|u|b|ga|lts|release))?[0-9]{0,4}(u[0-9]{1,2})?",
)
_DATE = (
    f"(19|20)[0-9][0-9]-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?Z?)?|{_DAY}|latest"
)
_PACKAGE = "[A-Za-z][A-Za-z]*[0-9]{0,3}[A-Za-z]{0,4}([.][A-Za-z]+[0-9]{0,2})*"
_DEFAULT_PACKAGE = (
    "(NULL|base|datasets|utils|grDevices|graphics|stats|stats4|methods|parallel|splines|tools|tcltk|compiler|grid|MASS"
    "|Matrix|lattice|nlme|survival|boot|data[.]table|dplyr|ggplot2|tidyverse|shiny|devtools|usethis)"
)
_ACCOUNT = (
    rf"_?[A-Z]?[a-z]+[0-9]{{0,6}}{_at_most(3, '[._-][_-]?([a-z]+[0-9]{0,4}|[0-9]{1,4})')}[$]?"
)
_FLAG = (
    "(-O[0-3sg]?|-Ofast|-g[0-9]?|-[fW][a-z]+(-[a-z]+)*(=(off|on|fast|[0-9]|[a-z]+(-[a-z]+)*))?"
    "|-m(arch|tune|cpu)=(native|generic|x86-64(-v[234])?|[a-z]+(-[a-z]+)*[0-9]?)|-m(64|avx|avx2|sse2|fma)"
    rf"|-ffile-prefix-map={_PATH}=[.]|-ffile-prefix-map=/build/r-base-[A-Za-z0-9]{{6}}/{_SEGMENT}=[.]"
    rf"|-std=[a-z+0-9]{{2,6}}|-[IL] ?{_PATH}|-l[a-z]{{1,12}}[0-9]{{0,2}}|-pipe|-pthread"
    rf"|-fPIC|-s|-k|-j"
    "|-[jl] ?[0-9]{1,3}|-Wl,--?[a-zA-Z]+(-[a-z]+)*(,(-z,)?(now|relro|noexecstack"
    "|--?[a-z]+(-[a-z]+)*|/usr/lib[a-z0-9/]*))?|-Wp,-D_FORTIFY_SOURCE=[0-3]"
    "|-D(_FORTIFY_SOURCE|NDEBUG|[A-Z]{1,8}(_[A-Z]{1,8})?)(=[0-9]{1,2})?)"
)
_JVM = (
    "(-X(mx|ms|ss|mn)[0-9]{1,6}[kKmMgG]?|-Xrs|-server|-XX:[-+][A-Z][A-Za-z0-9]+"
    "|-XX:[A-Z][A-Za-z]+=[0-9]{1,6}[kmgKMG]?|-Djava[.]awt[.]headless=(true|false)"
    "|-Dfile[.]encoding=(UTF-?8|utf-?8|ISO-8859-1|US-ASCII|ANSI_X3[.]4-1968)"
    rf"|-Duser[.](language|country)=[A-Za-z]{{2}}|-Duser[.]timezone=({_ZONE})"
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
    "|less -[A-Za-z]{1,6}|(gcc|g[+][+])(-[0-9]{1,2})? -std=(gnu|c)([+][+])?[0-9]{2}|ranlib"
    "|ar|perl|bwidget"
)
_DRIVER_WORD = (
    "(ODBC|Driver|Drivers|Data|Sources|Source|for|in|of|SQL|Server|Native|Client|Unicode|ANSI|ANSIw"
    "|[Pp]ostgre(SQL|s|sql)|psqlODBC|psqlodbc|MySQL|mysql|MariaDB|Maria|SQLite[23]?|sqlite[23]?|FreeTDS"
    "|TDS|Oracle|Instant|Simba|Spark|Hive|Impala|Snowflake|SnowflakeDSIIDriver|DSIIDriver|Athena"
    "|Redshift|Teradata|Databricks|BigQuery|Google|Netezza|NetezzaSQL|Vertica|DB2|IBM|Amazon|Cloudera"
    "|Devart|RStudio|Posit|Professional|Microsoft|Access|Mongo|MongoDB|Salesforce|Text|Excel|SAP|HANA"
    "|HDBODBC|Sybase|Dremio|Connector|Exasol|EXASolution|Denodo|Presto|Trino|DuckDB|Firebird|Informix"
    "|MDBTools|Progress|DataDirect|Apache|Drill|Arrow|Flight|ClickHouse|Cassandra|Couchbase|Database"
    "|Engine|Wire|Protocol|x64|x86|64-bit|64bit|64|32|bit|and|version|Version|v?[0-9]{1,3}"
    "([.][0-9]{1,3}([.][0-9]{1,4})?)?|[(]x64[)]|[(]64[)])"
)

_GRAMMARS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "number": _NUMBER,
        "numbers": rf"{_NUMBER}([,: ] ?{_NUMBER})*",
        "size": _SIZE,
        "time": rf"{_TIME}( {_TIME})*|infinity|-1",
        "switch": _SWITCH,
        "tempdir": rf"{_PATH}/Rtmp[A-Za-z0-9]{{6}}",
        "library": rf"{_EXPANDED}|{_PATH}/lib[A-Za-z]+[0-9]{{0,3}}[A-Za-z]*[0-9]{{0,3}}"
        r"([._+-]+([A-Za-z]+[0-9]{0,3}|[0-9]{1,4}))*[.]so([.][0-9]{1,5})*",
        "locale": _LOCALE,
        "locales": rf"{_LOCALE}(:{_LOCALE})*",
        "charset": _CHARSET,
        "zone": rf"{_ZONE}|:?/usr/share/zoneinfo/{_ZONE}|:?/etc/localtime",
        "version": _VERSION,
        "date": _DATE,
        "package": _PACKAGE,
        "packages": rf"{_DEFAULT_PACKAGE}([, ] ?{_DEFAULT_PACKAGE})*",
        "host": _HOST,
        "endpoint": rf"({_HOST}|[*])?(:{_PORT})?",
        "hosts": rf"{_HOSTS_ITEM}([,;] ?{_HOSTS_ITEM})*",
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
        "|[{][0-9]{1,3}([:,][0-9]{1,3})*[}]([:,][{]?[0-9]{1,3}([:,][0-9]{1,3})*[}]?)*",
        "driver": rf"{_DRIVER_WORD}([ _-]{_DRIVER_WORD})*",
        # `name` of a variable, an option, a key; `symbol` of R's code
        "name": rf"[._]*({_CAMEL})[0-9]{{0,2}}"
        rf"([._-]+(({_CAMEL})[0-9]{{0,2}}|[0-9]{{1,3}}))*[._]*",
    }
)
FRAGMENTS: Final = (
    _LETTERS, WORD, _SEGMENT, _PATH, _EXPANDED, _LABEL, _NAME, _IP6_BARE, _HOST, _HOSTS_ITEM, _PART, _URL,  # noqa: E501
    _WHOLE, _NUMBER, _BYTES, _SIZE, _TIME, _CODE_SET, _LOCALE, _ZONE, _VERSION, _DEFAULT_PACKAGE, _ACCOUNT,  # noqa: E501
    _FLAG, _JVM, _DRIVER_WORD,
)  # fmt: skip
"""Parts that many grammars share, the inner ones first: writing them once saves space."""
_COUNTED = re.compile(r"(?<!\\)(\[[^][]+\])\{(\d+)(?:,(\d+))?\}")


def pattern(name: str) -> str:
    """Write the grammar as an expression for the whole value."""
    return f"^({_GRAMMARS[name]})$"


def for_awk(name: str) -> str:
    """Write the grammar as an expression for any awk."""
    return without_counts(pattern(name))


def without_counts(expression: str) -> str:
    """Write out the counts of `expression` as nested optional parts: there is one way to match."""
    return _COUNTED.sub(_written_out, expression)


def _written_out(found: re.Match[str]) -> str:
    atom, low = found[1], int(found[2])
    optional = ""
    for _ in range((int(found[3]) if found[3] else low) - low):
        optional = f"({atom}{optional})?"
    return atom * low + optional


def grammar_names() -> tuple[str, ...]:
    """List the names of all grammars."""
    return tuple(_GRAMMARS)
