"""Which files of an app go into a machine."""

import os
import time
from pathlib import Path

import pytest

from sandbox import app_files as module
from sandbox.app_files import AppFiles, TooMuchError, UnreadableError, app_files


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.R").write_text("1")
    return folder


def put(app: Path, *names: str, text: str = "x") -> None:
    for name in names:
        path = app / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def taken(app: Path, found: AppFiles) -> list[str]:
    return [path.relative_to(app).as_posix() for path in found.taken]


SECRETS = (
    *(".git/config", ".git", ".svn/x", ".hg/x", ".ssh/id_rsa", ".gnupg/x", ".aws/credentials"),
    *(".Renviron", ".renviron", ".Renviron.local", ".Rhistory", ".RData", ".Rproj.user/x"),
    *(".env", ".env.production", ".ENV", ".netrc", ".pgpass", ".httr-oauth", ".secrets/token"),
    *("www/server.pem", "tls.KEY", "id_rsa", "id_rsa.pub", "deep/er/id_ed25519", "x.p12"),
    *("rsconnect/host/a.dcf", "prod.facts.json", ".git-credentials", ".docker/config.json"),
)


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_stay_out(app: Path, name: str) -> None:
    put(app, name)
    found = app_files(app)
    assert not any(Path(name).name == path.name for path in found.taken)
    assert len(found.left_out) == 1


@pytest.mark.parametrize(
    "name",
    ["environment.R", "keys.R", ".Rprofile", "data/git.csv", "www/style.css", "pem", ".here"],
)
def test_what_an_app_needs_goes(app: Path, name: str) -> None:
    put(app, name)
    assert name in taken(app, app_files(app))


@pytest.mark.parametrize(
    ("include", "names"),
    [
        ((".Renviron",), [".Renviron", "sub/.Renviron"]),
        (("/.Renviron",), [".Renviron"]),
        (("sub/.Renviron",), ["sub/.Renviron"]),
        (("*.pem",), ["sub/a.pem"]),
        ((".ssh",), [".ssh", ".ssh/id_rsa", ".ssh/sub", ".ssh/sub/.netrc"]),
        ((".ssh/id_rsa",), [".ssh", ".ssh/id_rsa"]),
        ((".ssh/sub/.netrc",), [".ssh", ".ssh/sub", ".ssh/sub/.netrc"]),
        (("sub",), []),
    ],
)
def test_what_is_asked_for_by_name_goes(
    app: Path, include: tuple[str, ...], names: list[str]
) -> None:
    put(app, ".Renviron", "sub/.Renviron", "sub/a.pem", ".ssh/id_rsa", ".ssh/sub/.netrc", "sub/b")
    more = set(taken(app, app_files(app, include=include))) - set(taken(app, app_files(app)))
    assert sorted(more) == sorted(names)


def test_an_ignore_file_reads_as_gits(app: Path) -> None:
    put(app, "a.csv", "data/a.csv", "data/b.csv", "raw/x", "sub/raw/x", "sub/deep/raw.txt", "raw2")
    put(app, "logs/1/2/x.log", "build", "sub/build/x", "keep.csv")
    put(
        app,
        ".sandboxignore",
        text="# comment\n\n*.csv\n!keep.csv\n/raw/\nlogs/**/*.log\nbuild/\nsub/*/raw.txt\n",
    )
    assert taken(app, app_files(app)) == [
        *("app.R", "build", "data", "keep.csv", "logs", "logs/1", "logs/1/2", "raw2"),
        *("sub", "sub/deep", "sub/raw", "sub/raw/x"),
    ]


def test_an_ignore_file_cannot_bring_back_a_secret(app: Path) -> None:
    put(app, ".Renviron")
    put(app, ".sandboxignore", text="!.Renviron\n")
    assert app_files(app).left_out == (".Renviron",)


def test_an_ignore_file_that_is_a_link_or_a_fifo_is_not_read(app: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("app.R\n")
    (app / ".sandboxignore").symlink_to(tmp_path / "elsewhere")
    assert "app.R" in taken(app, app_files(app))
    (app / ".sandboxignore").unlink()
    os.mkfifo(app / ".sandboxignore")
    assert "app.R" in taken(app, app_files(app))


def test_a_hostile_pattern_takes_no_time(app: Path) -> None:
    put(app, "a" * 250)
    put(app, "/".join(["b"] * 60))
    lines = ["*a" * 100 + "c", "**/" * 100 + "c", "[" * 100, "**/b/" * 60 + "c"]
    put(app, ".sandboxignore", text="\n".join(lines))
    started = time.monotonic()
    app_files(app)
    assert time.monotonic() - started < 1


def test_links_stay_links_and_what_is_no_file_stays_out(app: Path, tmp_path: Path) -> None:
    put(tmp_path, "outside/secret")
    (app / "data").symlink_to(tmp_path / "outside")
    (app / "loop").symlink_to(app)
    (app / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(app / "fifo")
    found = app_files(app)
    assert taken(app, found) == ["app.R", "data", "loop", "passwd"]
    assert found.left_out == ("fifo",)


def test_a_sparse_file_is_refused_before_it_is_read(app: Path) -> None:
    with (app / "big.csv").open("wb") as file:
        file.truncate(40 * 1024**3)
    started = time.monotonic()
    with pytest.raises(TooMuchError, match=r"more than 1024 MB; with big\.csv it is 42950 MB"):
        app_files(app)
    assert time.monotonic() - started < 0.5
    put(app, ".sandboxignore", text="big.csv\n")
    assert app_files(app).left_out == ("big.csv",)


def test_the_limit_can_be_raised(app: Path) -> None:
    with (app / "big.csv").open("wb") as file:
        file.truncate(1_100_000_000)
    assert "big.csv" in taken(app, app_files(app, max_mb=1200))


def test_too_many_files_are_refused(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 20)
    put(app, *(f"{number}.csv" for number in range(20)))
    with pytest.raises(TooMuchError, match="more than 20 files"):
        app_files(app)


def test_folders_without_end_are_refused(app: Path) -> None:
    put(app, "/".join(["d"] * 900) + "/x")
    with pytest.raises(TooMuchError, match="nested deeper"):
        app_files(app)


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="No such file"):
        app_files(tmp_path / "gone")
