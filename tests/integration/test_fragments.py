"""Parts of the probe by themselves, in every awk that is here: what they make of a file."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.facts import subjects

FOLDER = Path(subjects.__file__).parent
AWKS = [name for name in ("mawk", "gawk", "original-awk", "busybox") if shutil.which(name)]


def run(fragment: str, call: str, path: Path, awk: str, tmp_path: Path) -> list[str]:
    """What a function of a fragment prints of a file."""
    folder = tmp_path / awk
    folder.mkdir()
    program = shutil.which(awk)
    assert program is not None
    words = f"{program} awk" if awk == "busybox" else program
    script = folder / "awk"
    script.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    shell = f'PATH={folder}:$PATH; . {FOLDER / fragment}; {call} "$1"'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", path], check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.splitlines()


PREFERENCES = """\
# ours
Explanation: R stays as it is
Package: r-base-core r-recommended
Pin: version 4.2.*
Pin-Priority: 1001

Package: *
Pin: release n=bookworm-backports
Pin-Priority: 500\r

package: nodejs
pin: origin deb.example.org
pin-priority: -1
"""


@pytest.mark.parametrize("awk", AWKS)
def test_pins(awk: str, tmp_path: Path) -> None:
    path = tmp_path / "preferences"
    path.write_text(PREFERENCES, encoding="utf-8")
    assert run("held.sh", "pins_of", path, awk, tmp_path) == [
        "r-base-core\tversion 4.2.* priority 1001",
        "r-recommended\tversion 4.2.* priority 1001",
        "all-packages\trelease n=bookworm-backports priority 500",
        "nodejs\torigin deb.example.org priority -1",
    ]


@pytest.mark.parametrize("awk", AWKS)
def test_the_rules_for_a_folder_come_as_tmpfiles_reads_them(awk: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("D /tmp 1777 root root -\n# d /tmp\nq /tmp 1777 root root 10d\n")
    told = tmp_path / "systemd-tmpfiles"
    told.write_text(f"#!/bin/sh\ncat {rules}\n")
    told.chmod(0o755)
    around = "have() { true; }; section() { :; }; take() { cat; }"
    call = f"PATH={tmp_path}:$PATH; {around}; cleaning_beside_r"
    said = run("cleaning.sh", call, rules, awk, tmp_path)
    assert [line for line in said if line.startswith("tmpfiles")] == [
        "tmpfiles /tmp\tnever",
        "tmpfiles /tmp\t10d",
    ]


NGINX = """\
# listen 99;
server { listen 80 default_server; listen [::]:80;
  location = /rstudio { return 302 /rstudio/; }
  location /rstudio/ {
    rewrite ^/rstudio/(.*)$ /$1 break;
    proxy_pass http://127.0.0.1:8787; # that one
  }
  location ~ \\.php$ { proxy_pass http://127.0.0.1:9000; }
}
"""


@pytest.mark.parametrize("awk", AWKS)
def test_places_of_nginx(awk: str, tmp_path: Path) -> None:
    path = tmp_path / "site"
    path.write_text(NGINX, encoding="utf-8")
    found = [line.split("\t")[1:] for line in run("fronts.sh", "fronts_of", path, awk, tmp_path)]
    assert found == [
        ["server", ""],
        ["listen", "80"],
        ["listen", "[::]:80"],
        ["location", "/rstudio"],
        ["location", "/rstudio/"],
        ["proxy", "http://127.0.0.1:8787"],
        ["location", ""],
        ["proxy", "http://127.0.0.1:9000"],
    ]


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize(
    ("command", "file", "port"),
    [
        (
            "R -e \"plumber::pr('/srv/main.R') |> pr_run(host = '0.0.0.0', port = 81)\"",
            "/srv/main.R",
            "81",
        ),
        (
            'Rscript /usr/local/lib/sandbox/run-api.R "plumber.R" 0.0.0.0 8000 docs',
            "plumber.R",
            "8000",
        ),
        ("Rscript -e 'plumber::plumb(dir = \".\")$run()'", "", ""),
    ],
)
def test_a_unit_of_plumber(command: str, file: str, port: str, awk: str, tmp_path: Path) -> None:
    path = tmp_path / "sales.service"
    text = f"[Service]\nUser=api\nWorkingDirectory=/srv/api\nExecStart=/usr/bin/{command}\n"
    path.write_text(text, encoding="utf-8")
    (found,) = run("apis.sh", "api_of", path, awk, tmp_path)
    assert found.split("\t") == ["sales.service", "api", "/srv/api", file, port]


@pytest.mark.parametrize("awk", AWKS)
def test_only_files_that_run_an_api_are_looked_into(awk: str, tmp_path: Path) -> None:
    texts = {"a b": "ExecStart=Rscript run-api.R x.R", "c": "execstart=R -e 'plumber::plumb()'"}
    texts["other"] = "ExecStart=/usr/bin/cron\n# plumb"
    for name, text in texts.items():
        (tmp_path / f"{name}.service").write_text(f"[Service]\n{text}\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.service")
    (tmp_path / "masked.service").symlink_to("/dev/null")
    call = f"api_units {tmp_path}/*.service {tmp_path}/none/*.service #"
    found = run("apis.sh", call, tmp_path, awk, tmp_path)
    assert [Path(one).name for one in found] == ["a b.service", "c.service"]
