import shlex

import pytest

from sandbox.facts.collect import compose
from sandbox.probe import redact as patterns
from sandbox.probe.redact import redact, redact_text
from tests.secrets_of_all_shapes import PLANTED, SECRETS


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN", "GITHUB_PAT", "PAT", "DB_PASSWORD", "PGPASSWORD", "MYSQL_PWD", "DB_PASS",
        "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "API_KEY", "apikey", "CONNECT_API_KEY",
        "shiny.sharedSecret", "SESSION_COOKIE", "SSH_PRIVATE", "SMTP_CREDENTIALS", "HTTP_AUTH",
        "SENTRY_DSN", "SLACK_WEBHOOK", "AZURE_STORAGE_CONNECTION_STRING", "ODBC_CONNSTR", "PASS2",
        "GPG_PASSPHRASE",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert redact(name, "anything") == "<redacted>"


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "PWD", "OLDPWD", "HOME", "LANG", "R_LIBS_USER", "MANPATH", "SSH_AUTH_SOCK",
        "R_COMPILED_BY", "XDG_SESSION_ID", "OMP_NUM_THREADS", "JAVA_PATH", "AUTHOR", "COMPASS",
        "digits", "browserNLdisabled", "keep.source", "PATTERN", "SSH_CONNECTION",
    ],
)  # fmt: skip
def test_harmless_names_keep_their_values(name: str) -> None:
    assert redact(name, "/usr/bin:/bin") == "/usr/bin:/bin"


@pytest.mark.parametrize(
    "value",
    [
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghijkl_mnop",
        "glpat-abcdefghij0123456789",
        "xoxb-123456789012-abcdefghij",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln",
        "-----BEGIN RSA PRIVATE KEY-----",
        "Driver={SQL};Server=db;UID=sa;PWD=geheim;",
        "host=db user=app password=geheim",
        "Bearer abcdefghijklmnop",
        "--token=abc",
    ],
)
def test_secret_values_under_harmless_names(value: str) -> None:
    assert redact("SETTING", value) == "<redacted>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://bot:hunter2@cran.example.org/x", "https://<redacted>@cran.example.org/x"),
        ("postgres://u:p%40ss@db:5432/x", "postgres://<redacted>@db:5432/x"),
        ("https://oauth2token@git.example.org", "https://<redacted>@git.example.org"),
        ("https://cran.example.org/a@b", "https://cran.example.org/a@b"),
        ("http://proxy.example.org:3128", "http://proxy.example.org:3128"),
        ("me@example.org", "me@example.org"),
    ],
)
def test_only_the_user_part_of_a_url_is_hidden(value: str, shown: str) -> None:
    assert redact("REPO", value) == shown


def test_text_is_hidden_line_by_line() -> None:
    text = "starting\nconnecting with password=geheim\nhttps://a:b@x.org\ndone"
    assert redact_text(text) == "starting\n<redacted>\nhttps://<redacted>@x.org\ndone"


def test_an_empty_value_stays_empty() -> None:
    assert redact("API_KEY", "") == ""


def test_the_host_gets_the_same_patterns() -> None:
    script = compose("sandbox-probe-1")
    assert shlex.quote(patterns.sed_program()) in script


# Code is read on the host alone: here come names with their values
_VALUES = {name: text for name, text in SECRETS.items() if not name.startswith("R ")}


@pytest.mark.parametrize("text", _VALUES.values(), ids=list(_VALUES))
def test_every_shape_is_found_here_too(text: str) -> None:
    """Once more after the host did: a value as it would stand in an environment."""
    name, equals, value = text.partition("=")
    assert PLANTED not in redact(name, value) if equals else PLANTED not in redact_text(text)
