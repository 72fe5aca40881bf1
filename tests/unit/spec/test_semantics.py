"""Whether the parts of a box fit each other, the base and the disk: said before anything starts."""

import base64

import pytest

from sandbox.spec import words
from tests.unit.spec.conftest import HEAD, Load, Problems, Write

BASES = "`debian-11`, `debian-12`, `debian-13`, `ubuntu-22.04` or `ubuntu-24.04`"
SHINY = "r: {}\nservices: {shiny_server: {}}\n"
_BLOB = (11).to_bytes(4, "big") + b"ssh-ed25519" + (32).to_bytes(4, "big") + bytes(32)
PUBLIC_KEY = f"ssh-ed25519 {base64.b64encode(_BLOB).decode()} anna@laptop"


def said(problem: object) -> str:
    return str(problem).split("\n")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "version: 1\n",
            f"box.yml:1: base: `base` is missing: {BASES}",
        ),
        (
            "version: 1\nbase:\n",
            f"box.yml:2: base: `base` is missing: {BASES}",
        ),
        (
            "version: 1\nbase: centos-7\n",
            f"box.yml:2: base: there is no base `centos-7`. There is {BASES}",
        ),
        (
            "version: 1\nbase: ubuntu-24.04\nsystem: {mirror: {debian: 'http://x.org'}}\n",
            "box.yml:3: system.mirror: ubuntu-24.04 needs a mirror of its own distribution. "
            "Say `ubuntu:`, the base URL of such a mirror",
        ),
        (
            HEAD + "system: {mirror: {security: 'http://x.org'}}\n",
            "box.yml:3: system.mirror: no mirror is named. "
            "Say `debian:` or `ubuntu:`, the base URL of a mirror",
        ),
        (
            HEAD + "r: {version: '4.5'}\n",
            "box.yml:3: r.version: debian-12 has R 4.2.2, not 4.5. For R 4.5 use base `debian-13`",
        ),
        (
            HEAD + "r: {version: '4.2.1'}\n",
            "box.yml:3: r.version: debian-12 has R 4.2.2, not 4.2.1. "
            "The bases have R 4.0.4 (debian-11), 4.2.2 (debian-12), 4.5.0 (debian-13), "
            "4.1.2 (ubuntu-22.04), 4.3.3 (ubuntu-24.04); Posit builds others: add `source: posit`",
        ),
        (
            "version: 1\nbase: debian-11\n" + SHINY,
            "box.yml:4: services.shiny_server: debian-11 has no package of Shiny Server. "
            "Use base `debian-12`, `debian-13` or `ubuntu-24.04`",
        ),
        (
            HEAD + "services: {shiny_server: {}}\n",
            "box.yml:3: services.shiny_server: Shiny Server needs R, and this box has none. "
            "Add `r: {}` for the R of the base",
        ),
        (
            HEAD + "r: {}\nservices: {shiny_server: {port: 22}}\n",
            "box.yml:4: services.shiny_server.port: port 22 is taken: ssh listens there. "
            "The usual one is 3838",
        ),
        (
            HEAD + "providers: {virtualbox: {customize: [[modifyvm, --vrde, 'on']]}}\n",
            "box.yml:3: providers.virtualbox.customize[0]: a box may not set `--vrde`. "
            "It could reach beyond the VM",
        ),
        (
            HEAD + "providers: {libvirt: {base_image: debian/bookworm64}}\n",
            "box.yml:3: providers.libvirt.base_image: "
            "the version of `debian/bookworm64` is not said. "
            "Add `base_image_version`: else it changes under you",
        ),
        (
            HEAD + "providers: {libvirt: {cpu_mode: custom}}\n",
            "box.yml:3: providers.libvirt.cpu_mode: the processor is not named. "
            "Add `cpu_model`, such as Haswell: `virsh cpu-models x86_64` lists them",
        ),
        (
            HEAD + "providers:\n  libvirt:\n    cpu_model: Haswell\n",
            "box.yml:5: providers.libvirt.cpu_model: without `cpu_mode: custom` "
            "no processor can be named. Add it",
        ),
        (
            HEAD + "providers:\n  libvirt:\n    cpu_mode: host-model\n    cpu_model: Haswell\n",
            "box.yml:6: providers.libvirt.cpu_model: with `cpu_mode: host-model` "
            "no processor can be named. Write `cpu_mode: custom`",
        ),
        (
            HEAD + "providers:\n  libvirt:\n    driver: qemu\n    cpu_mode: host-passthrough\n",
            "box.yml:6: providers.libvirt.cpu_mode: QEMU's emulation cannot be this host's "
            "processor. Leave out `driver: qemu`, or name one: `cpu_mode: custom`, "
            "`cpu_model: Haswell`",
        ),
        (
            HEAD + "providers: {libvirt: {cpu_mode: custom, cpu_model: 'a b'}}\n",
            "box.yml:3: providers.libvirt.cpu_model: expected a name of letters, digits, dashes "
            "and underscores, 63 at most, not the text `a b`",
        ),
        (
            HEAD + SHINY + "apps: [{name: a, path: nowhere}]\n",
            "box.yml:5: apps[0].path: no app at `nowhere`: there is no such folder (nowhere)",
        ),
        (
            HEAD + SHINY + "apps: [{name: a, path: box.yml}]\n",
            "box.yml:5: apps[0].path: an app is a folder, and this is a file. "
            "Name the folder it is in",
        ),
        (
            HEAD + SHINY + "apps: [{name: a, path: .}]\n",
            "box.yml:5: apps[0].path: no app in `.`: it has no app.R, server.R, ui.R or .Rmd file",
        ),
        (
            HEAD + "checks: {files: [no.py]}\n",
            "box.yml:3: checks.files[0]: no checks at `no.py`: there is no such file",
        ),
        (
            HEAD + "checks: {files: [box.yml]}\n",
            "box.yml:3: checks.files[0]: checks are Python files, and `box.yml` is not",
        ),
        (
            HEAD + "system: {ca_certificates: [no.pem]}\n",
            "box.yml:3: system.ca_certificates[0]: no certificate at `no.pem`: "
            "there is no such file",
        ),
        (
            HEAD + "system: {ca_certificates: [box.yml]}\n",
            "box.yml:3: system.ca_certificates[0]: no certificate at `box.yml`: "
            "it is not in PEM format (no `-----BEGIN CERTIFICATE-----`)",
        ),
        (
            HEAD + "system: {timezone: Europe/Wien}\n",
            "box.yml:3: system.timezone: there is no time zone `Europe/Wien`. "
            "Perhaps you meant `Europe/Kiev`, `Europe/Kyiv` or `Europe/Riga`?",
        ),
        (
            HEAD + "users: [{name: shiny}]\n",
            "box.yml:3: users[0].name: `shiny` is an account of the system's own",
        ),
        (
            HEAD + "users:\n- name: anna\n- name: bob\n- name: anna\n",
            "box.yml:6: users[2].name: another user is called `anna` (line 4)",
        ),
        (
            HEAD + "users: [{name: a, ssh_keys: [~/.ssh/id_ed25519.pub]}]\n",
            "box.yml:3: users[0].ssh_keys[0]: this is not an ssh public key: "
            "it looks like a file's name; paste the line that is in the file",
        ),
        (
            HEAD + "r: {options: {x: [1, a]}}\n",
            "box.yml:3: r.options.x: a vector is all text, all numbers, or all `true` and `false`. "
            "A list of R that mixes them is {r: 'list(1, \"a\")'}",
        ),
        (
            HEAD + "r: {options: {x: []}}\n",
            "box.yml:3: r.options.x: a vector of nothing has no type. Write {r: character(0)}",
        ),
    ],
)
def test_what_does_not_fit(problems: Problems, text: str, expected: str) -> None:
    (problem,) = problems(text)
    if "Europe/Wien" in text:
        # Which names are near depends on the host's zone data
        assert said(problem).startswith(expected.partition(". Perhaps")[0])
    else:
        assert said(problem) == expected


def test_a_city_alone_finds_its_zone(problems: Problems) -> None:
    (problem,) = problems(HEAD + "system: {timezone: vienna}\n")
    assert problem.suggestion == "Perhaps you meant `Europe/Vienna`?"


def test_a_host_without_zone_data_accepts_any(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    assert load(HEAD + "system: {timezone: Mars/Base}\n").box.system.timezone == "Mars/Base"


def test_a_folder_of_zones_is_no_zone() -> None:
    assert words.unknown_timezone("Europe") is not None


@pytest.mark.parametrize("name", ["C", "POSIX", "C.UTF-8", "en_US.UTF-8", "de_AT.UTF-8"])
def test_locales_that_are_fine(name: str) -> None:
    assert words.wrong_locale(name) is None


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("en_US", "Perhaps you meant `en_US.UTF-8`?"),
        ("en-US.utf8", "Perhaps you meant `en_US.UTF-8`?"),
        ("english", "Write language_COUNTRY.CHARSET, such as en_US.UTF-8, or C.UTF-8"),
        ("C.utf8", "Perhaps you meant `C.UTF-8`?"),
    ],
)
def test_locales_that_are_not(name: str, near: str) -> None:
    assert words.wrong_locale(name) == near


def test_apps_need_a_service_and_names_of_their_own(write: Write, problems: Problems) -> None:
    write("", "a/app.R")
    apps = "apps:\n- {name: a, path: a}\n- {name: a, path: a}\n"
    assert [said(problem) for problem in problems(HEAD + apps)] == [
        "box.yml:3: apps: no service of this box serves apps. Add `services: {shiny_server: {}}`",
        "box.yml:5: apps[1].name: another app is called `a` (line 4)",
    ]


def test_what_a_missing_file_may_cure_is_not_told(problems: Problems) -> None:
    text = "extends: gone.yml\nversion: 1\nproviders: {libvirt: {cpu_model: Haswell}}\n"
    assert [problem.key for problem in problems(text)] == ["extends"]


def test_documents_need_rmarkdown(write: Write, problems: Problems, load: Load) -> None:
    write("", "docs/index.Rmd")
    apps = "services: {shiny_server: {}}\napps: [{name: a, path: docs}]\n"
    (problem,) = problems(HEAD + "r: {}\n" + apps)
    assert problem.message == "the documents in `docs` need the R package rmarkdown"
    loaded = load(HEAD + "r: {packages: {names: [rmarkdown]}}\n" + apps)
    assert loaded.box.apps[0].name == "a"


def test_an_app_beside_the_boxs_folder_is_allowed_by_a_marker(write: Write, load: Load) -> None:
    app = write("", "elsewhere/ui.R").parent
    write("", "sandbox.root")
    loaded = load(HEAD + SHINY + "apps: [{name: a, path: ../elsewhere}]\n", "boxes/box.yml")
    assert loaded.file_at("apps", 0, "path") == app


def test_a_real_public_key_is_fine(load: Load) -> None:
    box = load(f"{HEAD}users: [{{name: anna, ssh_keys: ['{PUBLIC_KEY}']}}]\n").box
    assert box.users[0].ssh_keys == (PUBLIC_KEY,)


@pytest.mark.parametrize(
    "key",
    [
        PUBLIC_KEY[:40],
        PUBLIC_KEY.replace("ssh-ed25519 ", "ssh-rsa "),
        "ssh-ed25519",
        "ssh-ed25519 %%%%",
        "ssh-dss AAAA",
        "command=x ssh-ed25519 AAAA",
        "hello",
        "",
    ],
)
def test_what_is_no_public_key(key: str) -> None:
    assert words.not_a_public_key(key)


@pytest.mark.parametrize(
    "text",
    [
        "ssh_keys:\n    - |\n      -----BEGIN OPENSSH PRIVATE KEY-----\n      c2VjcmV0\n"
        "      -----END OPENSSH PRIVATE KEY-----\n",
        'ssh_keys: ["-----BEGIN RSA PRIVATE KEY-----\\nc2VjcmV0\\n-----END RSA PRIVATE KEY"]\n',
        "ssh_keys: ['-----BEGIN PRIVATE KEY----- c2VjcmV0 -----END PRIVATE KEY-----']\n",
    ],
)
def test_a_private_key_is_called_that_and_never_shown(problems: Problems, text: str) -> None:
    found = problems(f"{HEAD}users:\n  - name: anna\n    {text}")
    assert [problem.message for problem in found] == [
        "this is a private key, which must never be in a box file"
    ]
    assert "c2VjcmV0" not in "\n".join(f"{problem} {problem!r}" for problem in found)


def test_a_certificate_with_its_private_key_is_refused(write: Write, problems: Problems) -> None:
    write("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", "ca.pem")
    (problem,) = problems(HEAD + "system: {ca_certificates: [ca.pem]}\n")
    assert "it holds a private key" in problem.message
