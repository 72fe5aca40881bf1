"""The mirror of the tests answers as the real servers do, and what it serves really works."""

import gzip
import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.conftest import cannot_run
from tests.mirror import Contents, Mirror, certificates, serving
from tests.mirror.binaries import host_r

AGENT = "R/4.2.2 R (4.2.2 x86_64-pc-linux-gnu x86_64 linux-gnu)"
DAY, NEXT_DAY = "2023-06-09", "2023-06-12"
BIN = f"/cran/{DAY}/bin/linux/bookworm-x86_64/4.2/src/contrib"
LINUX = f"/cran/__linux__/bookworm/{DAY}/src/contrib"
pytestmark = pytest.mark.slow


def ask(mirror: Mirror, path: str, agent: str = "") -> tuple[bytes, dict[str, str]]:
    request = Request(mirror.url + path, headers={"User-Agent": agent} if agent else {})
    with urlopen(request, timeout=30) as answer:
        return answer.read(), {key.lower(): value for key, value in answer.headers.items()}


def missing(mirror: Mirror, path: str) -> bool:
    try:
        ask(mirror, path)
    except HTTPError as error:
        return error.code == 404
    return False


def index(mirror: Mirror, folder: str) -> dict[str, dict[str, str]]:
    text = gzip.decompress(ask(mirror, f"{folder}/PACKAGES.gz")[0]).decode()
    assert text == ask(mirror, f"{folder}/PACKAGES")[0].decode()
    stanzas = [
        dict(line.split(": ", 1) for line in stanza.splitlines()) for stanza in text.split("\n\n")
    ]
    return {stanza["Package"]: stanza for stanza in stanzas}


def is_binary(tarball: bytes) -> bool:
    """Look as the product must: at the files, not at a header."""
    with tarfile.open(fileobj=io.BytesIO(tarball)) as tar:
        return any(name.endswith("/Meta/package.rds") for name in tar.getnames())


@pytest.fixture
def glue(mirror: Mirror) -> str:
    """Return the name of the tarball of a compiled package that is a binary on that day."""
    return f"glue_{index(mirror, f'/cran/{DAY}/src/contrib')['glue']['Version']}.tar.gz"


def test_a_snapshot_has_an_index_and_each_tarball_of_it(mirror: Mirror) -> None:
    folder = f"/cran/{DAY}/src/contrib"
    listed = index(mirror, folder)
    assert {"Rcpp", "later", "Matrix", "xml2", "chainfirst", "vanished"} <= set(listed)
    assert "Rcpp" in listed["later"]["LinkingTo"]
    for name, stanza in listed.items():
        _, headers = ask(mirror, f"{folder}/{name}_{stanza['Version']}.tar.gz")
        assert headers["x-package-type"] == "source"
        assert headers["x-repository-type"] == "RSPM"


def test_a_snapshot_changes_from_one_day_to_the_next(mirror: Mirror) -> None:
    before, after = (index(mirror, f"/cran/{day}/src/contrib") for day in (DAY, NEXT_DAY))
    assert "vanished" in before
    assert "vanished" not in after
    assert missing(mirror, f"/cran/{NEXT_DAY}/src/contrib/vanished_1.0.0.tar.gz")
    ask(mirror, f"/cran/{NEXT_DAY}/src/contrib/Archive/vanished/vanished_1.0.0.tar.gz")
    old = f"R6_{before['R6']['Version']}.tar.gz"
    assert before["R6"]["Version"] != after["R6"]["Version"]
    # A current version is not in the archive, an older one only there
    assert missing(mirror, f"/cran/{DAY}/src/contrib/Archive/R6/{old}")
    assert missing(mirror, f"/cran/{NEXT_DAY}/src/contrib/{old}")
    ask(mirror, f"/cran/{NEXT_DAY}/src/contrib/Archive/R6/{old}")


def test_a_day_without_a_snapshot_has_the_one_before_it(mirror: Mirror) -> None:
    assert ask(mirror, "/cran/2023-06-10/src/contrib/PACKAGES") == ask(
        mirror, f"/cran/{DAY}/src/contrib/PACKAGES"
    )
    assert missing(mirror, "/cran/2001-01-01/src/contrib/PACKAGES")
    mirror.settings.today = DAY
    assert "vanished" in index(mirror, "/cran/latest/src/contrib")
    assert "vanished" in index(mirror, "/plain/src/contrib")
    mirror.settings.today = NEXT_DAY
    assert "vanished" not in index(mirror, "/plain/src/contrib")


def test_form_1_gives_a_binary_to_r_only(mirror: Mirror, glue: str) -> None:
    data, headers = ask(mirror, f"{LINUX}/{glue}", AGENT)
    assert is_binary(data)
    assert headers["x-package-type"] == "binary"
    assert headers["x-package-binary-tag"] == "4.2-bookworm"
    data, headers = ask(mirror, f"{LINUX}/{glue}")
    assert not is_binary(data)
    assert headers["x-package-type"] == "source"
    agents = [request.user_agent for request in mirror.log if glue in request.path]
    assert agents == [AGENT, f"Python-urllib/{sys.version_info.major}.{sys.version_info.minor}"]


@pytest.mark.parametrize(
    ("query", "binary"),
    [
        ("?r_version=4.2&arch=x86_64", True),
        ("?r_version=4.2&arch=aarch64", False),
        ("?r_version=4.1&arch=x86_64", False),
    ],
)
def test_form_2_gives_a_binary_for_what_the_query_says(
    mirror: Mirror, glue: str, query: str, *, binary: bool
) -> None:
    assert is_binary(ask(mirror, f"{LINUX}/{glue}{query}")[0]) is binary


def test_form_3_gives_a_binary_without_being_told_anything(mirror: Mirror, glue: str) -> None:
    listed = index(mirror, BIN)
    assert listed["glue"]["Built"].startswith("R 4.2")
    assert "Built" not in listed["vanished"]
    assert is_binary(ask(mirror, f"{BIN}/{glue}")[0])
    mirror.settings.has_form_3 = False
    assert missing(mirror, f"{BIN}/PACKAGES")
    assert missing(mirror, f"{BIN}/{glue}")


def test_a_binary_says_that_its_bytes_are_not_those_of_cran(mirror: Mirror, glue: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(ask(mirror, f"{BIN}/{glue}")[0])) as tar:
        stream = tar.extractfile("glue/DESCRIPTION")
        assert stream is not None
        assert b"\nRepository: RSPM\n" in stream.read()


def test_the_mirror_misbehaves_when_told_to(mirror: Mirror, glue: str) -> None:
    good, _ = ask(mirror, f"{BIN}/{glue}")
    mirror.settings.built_again.add("glue")
    again, _ = ask(mirror, f"{BIN}/{glue}")
    assert again != good
    assert is_binary(again)
    mirror.settings.other_processor.add("glue")
    with tarfile.open(fileobj=io.BytesIO(ask(mirror, f"{BIN}/{glue}")[0])) as tar:
        stream = tar.extractfile("glue/libs/glue.so")
        assert stream is not None
        assert stream.read(20)[18] == 183
    mirror.settings.only_source.add("glue")
    data, headers = ask(mirror, f"{BIN}/{glue}")
    assert not is_binary(data)
    assert headers["x-package-type"] == "source"
    mirror.serve(f"{BIN}/{glue}", b"something else")
    assert ask(mirror, f"{BIN}/{glue}")[0] == b"something else"
    mirror.vanish(f"{BIN}/{glue}")
    assert missing(mirror, f"{BIN}/{glue}")
    assert len(mirror.asked(BIN)) == 6
    mirror.reset()
    assert ask(mirror, f"{BIN}/{glue}")[0] == good


def test_the_mirror_stalls_in_the_middle_of_a_file(mirror: Mirror, glue: str) -> None:
    mirror.stall(f"{BIN}/{glue}", 600)
    began = time.monotonic()
    with (
        urlopen(f"{mirror.url}{BIN}/{glue}", timeout=0.5) as answer,
        pytest.raises(TimeoutError),
    ):
        answer.read()
    assert time.monotonic() - began < 60


def test_builds_of_r_are_where_posit_has_them(mirror: Mirror) -> None:
    versions = json.loads(ask(mirror, "/r/versions.json")[0])["r_versions"]
    assert versions == ["4.0.4", "4.2.2", "4.5.0", "devel", "next"]
    data, _ = ask(mirror, "/r/debian-12/pkgs/r-4.2.2_1_amd64.deb")
    assert data == mirror.contents.r_build("4.2.2").read_bytes()
    ask(mirror, "/r/manylinux_2_34/pkgs/r-4.2.2_1_amd64.deb")
    assert missing(mirror, "/r/debian-13/pkgs/r-4.2.2_1_amd64.deb")
    assert missing(mirror, "/r/debian-12/pkgs/r-4.4.1_1_amd64.deb")


def test_the_other_servers_answer_in_their_layouts(mirror: Mirror, tmp_path: Path) -> None:
    assert "BiocGenerics" in index(mirror, "/bioconductor/packages/3.16/bioc/src/contrib")
    assert ask(mirror, "/bioconductor/packages/3.16/data/annotation/src/contrib/PACKAGES")[0] == b""
    assert missing(mirror, "/bioconductor/packages/3.99/bioc/src/contrib/PACKAGES")
    commit = "ab" * 20
    with tarfile.open(
        fileobj=io.BytesIO(ask(mirror, f"/github/someone/thing/tar.gz/{commit}")[0])
    ) as tar:
        assert f"thing-{commit}/DESCRIPTION" in tar.getnames()
    deb = tmp_path / "any.deb"
    deb.write_bytes(b"a package")
    path = mirror.add_rstudio(deb, "2024.04.2+764")
    assert path == "/rstudio/server/jammy/amd64/rstudio-server-2024.04.2-764-amd64.deb"
    assert ask(mirror, path)[0] == b"a package"
    listed = json.loads(ask(mirror, "/rstudio/wp-content/downloads.json")[0])
    jammy = listed["rstudio"]["open_source"]["stable"]["server"]["installer"]["jammy"]
    assert jammy["version"] == "2024.04.2+764"
    status = json.loads(ask(mirror, "/cran/__api__/status")[0])
    assert "bookworm" in [distro["name"] for distro in status["distros"]]


def test_https_has_a_certificate_of_an_authority_of_its_own(
    mirror_contents: Contents, tmp_path: Path
) -> None:
    authority, certificate = certificates.make(tmp_path)
    with serving(mirror_contents, tmp_path, certificate=certificate) as mirror:
        trusting = ssl.create_default_context(cafile=str(authority))
        with urlopen(f"{mirror.url}/r/versions.json", context=trusting, timeout=30) as answer:
            assert answer.status == 200
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            urlopen(f"{mirror.url}/r/versions.json", timeout=30)


@pytest.fixture(scope="module")
def opt(mirror_contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Unpack the builds that run on Debian 12; never into this host's own /opt."""
    if host_r() != ("bookworm", "4.2") or os.geteuid() != 0:
        cannot_run("the builds of R are tried on Debian 12 with R, as root")
    root = tmp_path_factory.mktemp("root")
    for version in ("4.0.4", "4.2.2"):
        argv = ("dpkg-deb", "-x", mirror_contents.r_build(version), root)
        subprocess.run(argv, check=True, timeout=300)
    yield root / "opt"
    shutil.rmtree(root)


def in_namespace(opt: Path, *argv: str) -> str:
    """Run a command that sees these builds in /opt; nobody else does."""
    script = 'mount --bind "$1" /opt && shift && exec "$@"'
    done = subprocess.run(
        ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", opt, *argv),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", ["4.0.4", "4.2.2"])
def test_the_repacked_r_starts_and_knows_its_home(opt: Path, version: str) -> None:
    home = f"/opt/R/{version}/lib/R"
    code = (
        "library(Matrix); library(MASS); cat(as.character(getRversion()), R.home(),"
        " R.home('share'), .libPaths(), capabilities('cairo'), nzchar(Sys.getenv('RHOME')),"
        " sep = '\\n')"
    )
    for program in ("R", "Rscript"):
        words = ("-s", "-e", code) if program == "R" else ("-e", code)
        out = in_namespace(opt, f"/opt/R/{version}/bin/{program}", "--vanilla", *words)
        told = [version, home, f"{home}/share", f"{home}/library", "TRUE", "FALSE"]
        assert out.splitlines() == told
    text = (opt / f"R/{version}/bin/R").read_text(encoding="utf-8")
    assert f"\nR_HOME_DIR={home}\n" in text
    assert not (opt / f"R/{version}/lib/R/etc/Rprofile.site").exists()


def test_the_repacked_r_draws_and_asks_for_binaries(opt: Path, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    code = (
        f"png('{picture}', type = 'cairo'); plot(1); invisible(dev.off());"
        " cat(getOption('HTTPUserAgent'))"
    )
    agent = in_namespace(opt, "/opt/R/4.0.4/bin/R", "--vanilla", "-s", "-e", code)
    assert agent == "R/4.0.4 R (4.0.4 x86_64-pc-linux-gnu x86_64 linux-gnu)"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_package_compiles_on_the_old_r_alone(mirror: Mirror, opt: Path, tmp_path: Path) -> None:
    source = tmp_path / "needsoldr_1.0.0.tar.gz"
    source.write_bytes(ask(mirror, "/plain/src/contrib/needsoldr_1.0.0.tar.gz")[0])
    words = ("CMD", "INSTALL", "-l", str(tmp_path), str(source))
    in_namespace(opt, "/opt/R/4.0.4/bin/R", *words)
    with pytest.raises(AssertionError, match="compiles on no newer one"):
        in_namespace(opt, "/opt/R/4.2.2/bin/R", *words)


def test_binaries_load_in_the_r_that_they_are_for(
    mirror: Mirror, opt: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    names = ("glue", "Rcpp", "chainlast", "chainmiddle", "chainfirst")
    listed = index(mirror, BIN)
    for name in names:
        data, headers = ask(mirror, f"{BIN}/{name}_{listed[name]['Version']}.tar.gz")
        assert headers["x-package-type"] == "binary"
        path = tmp_path / f"{name}.tar.gz"
        path.write_bytes(data)
        out = in_namespace(
            opt, "/opt/R/4.2.2/bin/R", "CMD", "INSTALL", "-l", str(library), str(path)
        )
        assert (library / name / "Meta/package.rds").is_file(), out
    code = (
        f".libPaths('{library}'); for (p in c({', '.join(map(repr, names))})) loadNamespace(p);"
        " cat(chainfirst::version_of_chainfirst(), glue::glue('{1 + 1}'))"
    )
    assert in_namespace(opt, "/opt/R/4.2.2/bin/R", "--vanilla", "-s", "-e", code) == "1.0.0 2"
