"""Secrets in every shape that we claim to find. All are made up; each holds the word PLANTED.

The word is put together here, and so are the vendors' prefixes, so that no scanner takes this file
for a leak.
"""

PLANTED = "pLaNt" + "3d"
_LONG = f"{PLANTED}0123456789abcdefghijklmnop"

SECRETS = {
    # Under a telling name
    "token": f"GITHUB_TOKEN={PLANTED}",
    "password": f"DB_PASSWORD={PLANTED}",
    "pgpassword": f"PGPASSWORD={PLANTED}",
    "mysql": f"MYSQL_PWD={PLANTED}",
    "spaces": f"SMTP_PASSPHRASE=several words {PLANTED} and more",
    "quoted": f'API_KEY="with spaces {PLANTED}; and more"',
    "lower case": f"my.app.secret={PLANTED}",
    "exported": f"export AWS_SECRET_ACCESS_KEY={PLANTED}",
    "ini": f"password = {PLANTED}",
    "yaml": f"client_secret: {PLANTED}",
    "json": f'"auth_token": "{PLANTED}",',
    "cookie": f"SESSION_COOKIE={PLANTED}",
    "webhook": f"ALERT_WEBHOOK={PLANTED}",
    "dsn": f"SENTRY_DSN={PLANTED}",
    "connection string": f"ODBC_CONNSTR={PLANTED}",
    "netrc": f"machine example.org login me password {PLANTED}",
    "R assignment": f'token <- "{PLANTED}"',
    "R option": f'options(digits = 7, my.api_key = "{PLANTED}")',
    "R setenv": f'Sys.setenv(SECRET_WORD = "{PLANTED}", OTHER = "1")',
    "R positional name": f'keyring::key_set_with_value("token", "{PLANTED}")',
    "R pasted": f'Sys.setenv(DB_PASSWORD = paste0("a", "{PLANTED}"))',
    # In a value under a harmless name
    "odbc": f"DATABASE=Driver=SQL;Server=db;UID=sa;PWD={PLANTED};",
    "libpq": f"DATABASE=host=db user=app password={PLANTED}",
    "jdbc": f"DATABASE=jdbc:postgresql://db/x?user=a&password={PLANTED}",
    "url": f"CRAN=https://bot:{PLANTED}@cran.example.org/x",
    "url with at": f"CRAN=https://bot:a@b{PLANTED}@cran.example.org/x",
    "url with slash": f"CRAN=https://bot:a/b{PLANTED}@cran.example.org/x",
    "url with token only": f"GIT=https://{PLANTED}@git.example.org/x",
    "query": f"HOOK=https://example.org/x?access_key={PLANTED}&y=1",
    "signed url": f"BLOB=https://x.example.org/y?sv=1&sig={PLANTED}",
    "header": f"HEADER=Authorization: Bearer {_LONG}",
    "basic": f"HEADER=Basic {_LONG}=",
    "option": f"CMD=client --password {PLANTED} run",
    "curl": f"CMD=curl -u me:{PLANTED} https://example.org",
    "azure storage": f"STORE=AccountName=x;AccountKey={PLANTED}==;",
    # By their own shape
    "github": "A=" + "gh" + f"p_{_LONG}",
    "github fine": "A=" + "github_" + f"pat_{_LONG}",
    "gitlab": "A=" + "gl" + f"pat-{_LONG}",
    "slack": "A=" + "xo" + f"xb-{_LONG}",
    "slack hook": f"A=https://hooks.slack.com/services/T0/B0/{PLANTED}",
    "discord": f"A=https://discord.com/api/webhooks/123/{PLANTED}",
    "telegram": f"A=123456789:{_LONG}xyz",
    "openai": "A=" + "s" + f"k-proj-{_LONG}",
    "stripe": "A=" + "s" + f"k_live_{_LONG}",
    "sendgrid": "A=" + "S" + f"G.{_LONG}.{_LONG}",
    "google": "A=" + "AI" + f"za{_LONG}",
    "google oauth": "A=" + "ya29" + f".{_LONG}",
    "npm": "A=" + "np" + f"m_{_LONG}",
    "pypi": "A=" + "py" + f"pi-{_LONG}",
    "hugging face": "A=" + "h" + f"f_{_LONG}",
    "docker": "A=" + "dckr" + f"_pat_{_LONG}",
    "digital ocean": "A=" + "dop" + f"_v1_{_LONG}",
    "databricks": "A=" + "da" + f"pi{_LONG}",
    "vault": "A=" + "hv" + f"s.{_LONG}",
    "jwt": "A=" + "ey" + f"J{_LONG}.{_LONG}.x",
    "crypt": f"A=$6$salt${PLANTED}abcdefgh",
    "age": "A=AGE-SECRET-KEY-1" + PLANTED.upper() + PLANTED,
    "connect api key": f"A={_LONG}",
    "hexadecimal": f"A={PLANTED}0123456789abcdef0123456789abcdef",
    "base64": f"A={PLANTED}QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
}
"""One line each, as it would stand in a file."""

SEVERAL_LINES = {
    "private key": (
        "-----BEGIN OPENSSH " + "PRIVATE KEY-----\n"
        f"{_LONG}\n{PLANTED}\n-----END OPENSSH PRIVATE KEY-----"
    ),
    "unended private key": "-----BEGIN RSA " + f"PRIVATE KEY-----\n{PLANTED}",
    "continued line": f"DB_PASSWORD=\\\n{PLANTED}",
    "R over two lines": f'Sys.setenv(API_TOKEN =\n  "{PLANTED}")',
    "yaml over two lines": f"password:\n  {PLANTED}",
    "commented out": f"# old key {PLANTED}\n; {PLANTED}",
}


# ---- values for every place: each shape with each kind of word -----------------------------------

WORDS = {
    "mixed": "pLaNt" + "3dqZ7",
    "word": "geheimxy",
    "digits": "7391" + "846205",
    "hex": "9f3ad17c" + "52e8b604",
    "base64": "R2VoZWlt" + "eHlLb3Jk",
    "uuid": "7c9e6679-7425" + "-40de-944b-e07fc1f90ae7",
    "upper": "QZKTVBXW" + "MHJY",
}
"""What is looked for in an answer, by its kind."""

SHAPES = {
    "bare": "{}",
    "twice": "{}{}",
    "with a mark": "{}!",
    "with a sign": "pw${}%",
    "quoted": '"{}"',
    "quoted once": "'{}'",
    "quote that does not end": '"{}',
    "quote within": "ab\"{}'cd",
    "backslashes": "\\{}\\n\\t\\\\",
    "backslash at the end": "{}\\\\",
    "blanks": "two words {}",
    "tab": "a\t{}",
    "passphrase": "correct horse {} battery staple",
    "passphrase with dashes": "correct-horse-{}-Battery-9-Staple",
    "unicode": "p\u00e4ssw\u00f6rd-{}-\u20ac",
    "control": "\x1b[31m{}\x07",
    "marks of ours": "\x01" + "1-8\x02{}\x01",
    "half a mark": "\x02{}",
    "encoded": "%20{}%2Fabc",
    "entity": "&amp;{}&lt;",
    "json": '{{"user": "app", "pw": "{}"}}',
    "list": "[app, {}]",
    "yaml": "pw: {}",
    "colon": "app:{}",
    "creds with dots": "aa.{}.cc",
    "semicolons": "a;{};b",
    "commas": "1,{},2",
    "plus": "+{}+",
    "equals": "key={}",
    "after a number": "4 {}",
    "after a switch": "TRUE {}",
    "after a path": "/usr/bin {}",
    "path list": "/usr/bin:{}",
    "path without a slash": "srv/{}",
    "path with query": "/srv/data?key={}",
    "path with a colon": "/srv:{}@host",
    "path with a sign": "/srv/pw={}",
    "after a locale": "en_US.UTF-8 {}",
    "locale modifier": "en_US.UTF-8@{}9",
    "after a zone": "Europe/Vienna {}",
    "zone": "Europe/{}9x",
    "libpq": "host=db user=app password={}",
    "libpq url": "postgresql://app:{}@db.example.org:5432/sales",
    "mysql url": "mysql+pymysql://app:{}@db/sales?charset=utf8",
    "mongo": "mongodb+srv://app:{}@cluster.example.org/x?retryWrites=true",
    "redis": "redis://:{}@cache:6379/0",
    "amqp": "amqps://app:{}@mq.example.org/vhost",
    "smtp": "smtps://robot%40example.org:{}@mail.example.org:465",
    "ldap": "ldaps://cn=app:{}@ldap.example.org",
    "odbc": "Driver={{SQL Server}};Server=db;UID=sa;PWD={};",
    "dsn": "DSN=sales;UID=app;PWD={}",
    "jdbc": "jdbc:postgresql://db/x?user=a&password={}",
    "jdbc oracle": "jdbc:oracle:thin:app/{}@db:1521:xe",
    "oracle": "app/{}@db",
    "oracle short": "app/{}",
    "sqlserver jdbc": "jdbc:sqlserver://db:1433;user=sa;password={};encrypt=true",
    "snowflake": "snowflake://app:{}@account/db",
    "azure storage": "AccountName=x;AccountKey={}==;",
    "azure bus": "Endpoint=sb://x.example.org/;SharedAccessKey={}=",
    "url user": "https://{}@cran.example.org/x",
    "url user and password": "https://bot:{}@cran.example.org/x",
    "url password with at": "https://bot:a@b{}@cran.example.org/x",
    "url password with slash": "https://bot:a/{}@cran.example.org/x",
    "url query": "https://cran.example.org/x?token={}",
    "url fragment": "https://cran.example.org/x#{}",
    "url parameters": "https://cran.example.org/x;key={}",
    "url path of a token": "https://cran.example.org/t/x9{}/src",
    "url path of a long word": "https://cran.example.org/secret{}/src",
    "url path mixed": "https://cran.example.org/ab1-{}-cd2-ef3/src",
    "url port": "https://cran.example.org:{}9/x",
    "url host": "https://x_{}_1.example.org/x",
    "url of a scheme of its own": "token://{}",
    "url backslash": "https:\\\\{}",
    "webhook": "https://hooks.example.org/services/T0/B0/Xy{}",
    "presigned": "https://b.s3.example.org/k?X-Amz-Signature={}&X-Amz-Expires=60",
    "sas": "https://x.example.org/y?sv=1&sig={}",
    "file url": "file:///srv/pw={}",
    "sentry": "https://{}@o1.ingest.example.org/42",
    "proxy": "http://user:{}@proxy.example.org:3128",
    "proxy without scheme": "user:{}@proxy.example.org:3128",
    "hosts with user": "localhost,app:{}@host",
    "header": "Authorization: Bearer {}",
    "basic": "Basic {}==",
    "cookie": "session={}; Path=/; HttpOnly",
    "command": "client --password {} run",
    "command short": "mysql -p{} -u app",
    "curl": "curl -u me:{} https://example.org",
    "ssh": "sshpass -p {} ssh host",
    "jvm": "-Xmx2g -Ddb.password={}",
    "jvm tool": "-Djava.io.tmpdir=/tmp -Djavax.net.ssl.keyStorePassword={}",
    "flags": "-O2 -DPASSWORD={}",
    "flags quoted": '-DTOKEN=\\"{}\\"',
    "make": "-j4 TOKEN={}",
    "substitution": "$(echo {})",
    "backticks": "`echo {}`",
    "default": "${{HOME-{}}}",
    "default nested": "${{TZ:-${{PATH:-{}}}}}",
    "default not ended": "${{TZ-{}",
    "default and more": "${{R_HOME}}/{}+=",
    "default named so": "${{{}-x}}",
    "comment behind": "4 # was {}",
    "comment behind a path": "/usr/bin # {}",
    "semicolon comment": "4 ; {}",
    "two on a line": "4 DB_PASS={}",
    "two with semicolon": "4; export DB_PASS={}",
    "netrc": "machine example.org login me password {}",
    "pgpass": "db:5432:*:app:{}",
    "crypt": "$6$salt${}",
    "crypt bcrypt": "$2b$12${}",
    "htpasswd": "app:{{SHA}}{}=",
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----{}",
    "ssh key": "ssh-rsa AAAAB3{} me@host",
    "license": "ABCD-{}-EFGH",
    "licence with lines": "ABCD-1234\\n{}",
    "backspace": "x\x08{}",
    "carriage": "x\r{}",
    "no-break": "x\u00a0{}",
    "zero width": "x\u200b{}",
    "brackets": "({})",
    "braces": "{{{}}}",
    "angle": "<{}>",
    "redacted look": "<not taken: 1-8 characters, #{}>",
    "size": "{}GB",
    "time": "{}seconds",
    "version": "v1.2-{}x9",
    "date": "2024-05-01T{}",
    "date with a word": "2024-05-01 {}",
    "ip": "127.0.0.1 {}",
    "port": "3838 {}",
    "ip6": "::1 {}",
    "hash": "sha256:{}",
    "pinned": "pkg@{}==",
    "r string": 'r"({})"',
    "r call": 'paste0("a", "{}")',
    "very long": "x" * 1500 + "{}",
    "long list": "/usr/bin:" * 150 + "{}",
}
"""Where in a value the secret stands. `{}` once or more."""

VENDORS = (
    "gh" + "p_", "gh" + "o_", "github_" + "pat_", "gl" + "pat-", "glr" + "t-", "xo" + "xb-", "xo" + "xp-",  # noqa: E501
    "xa" + "pp-1-", "s" + "k-", "s" + "k-proj-", "s" + "k_live_", "r" + "k_live_", "p" + "k_live_",
    "whs" + "ec_", "S" + "G.", "AI" + "za", "ya29" + ".", "GOC" + "SPX-", "np" + "m_", "py" + "pi-",
    "h" + "f_", "dckr" + "_pat_", "dop" + "_v1_", "da" + "pi", "hv" + "s.", "hv" + "b.", "ey" + "J",
    "AK" + "IA", "AS" + "IA", "lin_" + "api_", "shp" + "at_", "shp" + "ss_", "NR" + "AK-", "sntr" + "ys_",  # noqa: E501
    "key" + "-", "EA" + "AC", "AT" + "ATT3", "AT" + "BB", "pat" + "-na1-", "fio" + "-u-", "tfp" + "_",  # noqa: E501
    "rnd" + "_", "AGE-SECRET-" + "KEY-1", "PM" + "AK-", "sq0" + "atp-", "aio" + "_", "r" + "8_",
)  # fmt: skip
"""What vendors put in front of their tokens."""


def values(word: str) -> dict[str, str]:
    """All shapes with that word in them, by name."""
    found = {name: shape.replace("{{", "\x03").replace("}}", "\x04").replace("{}", word)
             for name, shape in SHAPES.items()}  # fmt: skip
    found = {name: text.replace("\x03", "{").replace("\x04", "}") for name, text in found.items()}
    return found | {f"vendor {prefix}": f"{prefix}{word}" for prefix in VENDORS}


def traces(text: str, word: str) -> list[str]:
    """What of `word` is in `text`: any six characters of it, forwards or backwards."""
    low, looked_for = text.lower(), word.lower()
    parts = {
        one[at : at + 6] for one in (looked_for, looked_for[::-1]) for at in range(len(one) - 5)
    }
    return sorted(part for part in parts if part in low)
