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

HARMLESS = (
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "R_LIBS_USER=~/R/x86_64-pc-linux-gnu-library/4.2",
    "www-port=8787",
    "auth-timeout-minutes=60",
    "auth-required-user-group=rstudio_users",
    "secure-cookie-key-file=/etc/rstudio/secure-cookie-key",
    "DB_PASSWORD_FILE=/run/secrets/db",
    "KEYBOARD=us",
    "PWD=/srv/app",
    "OMP_NUM_THREADS=4",
    "LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/openblas-pthread",
    'options(repos = c(CRAN = "https://cran.example.org/__linux__/bookworm/2024-05-01"))',
    "options(digits = 4, scipen = 10)",
    "listen 3838 127.0.0.1;",
    "    site_dir /srv/shiny-server;",
    "http_proxy=http://proxy.example.org:3128",
    "launcher-sessions-forward-container-environment=1",
)
"""What must come through as it is."""
