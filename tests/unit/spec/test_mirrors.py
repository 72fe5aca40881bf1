"""`mirrors:` in a box and in the user's settings: what is refused, and what gets into a machine."""

from pathlib import Path

import pytest

from sandbox.errors import ExitCode
from sandbox.plan import Plan
from sandbox.render import render_bootstrap
from sandbox.resolving import resolve
from sandbox.spec.load import load_box
from sandbox.spec.mirrors import AptMirrors, Mirrors
from sandbox.spec.problem import InvalidBoxError
from sandbox.spec.user_config import UserConfig, load_user_config
from sandbox.spec.values import Secret

BOX = "version: 1\nbase: debian-12\n"
PEM = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"


def config(folder: Path, text: str, *, mode: int = 0o600) -> Path:
    path = folder / "config.yml"
    path.write_text(text)
    path.chmod(mode)
    return path


def box(folder: Path, text: str = "", user: Mirrors | None = None) -> Plan:
    path = folder / "box.yml"
    path.write_text(BOX + text)
    return resolve(load_box(path), user)


def test_no_settings_and_empty_ones_say_nothing(tmp_path: Path) -> None:
    assert load_user_config(tmp_path / "config.yml") == UserConfig()
    assert load_user_config(config(tmp_path, "# nothing yet\n")) == UserConfig()
    assert load_user_config(config(tmp_path, "mirrors: {}\n")) == UserConfig()


def test_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "bank.pem").write_text(PEM)
    text = (
        "mirrors:\n  cran: https://me:word@in.example/cran\n  proxy: {secret: PROXY}\n"
        "  no_proxy: [in.example, .b.example, 10.0.0.0/8]\n  ca_certificates: [bank.pem]\n"
    )
    found = load_user_config(config(tmp_path, text)).mirrors
    assert found.cran == "https://me:word@in.example/cran"
    assert found.proxy == Secret(secret="PROXY")
    assert found.ca_certificates == (str(tmp_path / "bank.pem"),)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("mirors: {}\n", 1, "unknown key `mirors`. Perhaps you meant `mirrors`?"),
        ("mirrors:\n  cram: http://x\n", 2, "Perhaps you meant `cran`?"),
        ("mirrors:\n  cran: file:///x\n", 2, "a URL that starts with http:// or https://"),
        ("mirrors:\n  no_proxy: ['a b']\n", 2, "Write a host, .domain or a network"),
        ("mirrors:\n  no_proxy: [10.0.0.0/99]\n", 2, "no host and no network"),
        ("mirrors:\n  proxy: http://me:word@p:1\n", 2, "proxy: {secret: NAME}"),
        ("mirrors:\n  apt: {debian: 'http://me:word@d'}\n", 2, "a login must not stand"),
        ("mirrors:\n  apt: {debian_security: 'http://d'}\n", 2, "without `debian`"),
        ("mirrors:\n  incus_images: https://me:word@i\n", 2, "Incus takes none"),
        ("mirrors:\n  ca_certificates: [no.pem]\n", 2, "there is no such file"),
        ("- mirrors\n", 1, "is a list"),
    ],
)
def test_wrong_settings_are_refused_at_their_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    path = config(tmp_path, text)
    with pytest.raises(InvalidBoxError) as refused:
        load_user_config(path)
    assert refused.value.exit_code == ExitCode.BOX
    assert f"config.yml:{line}:" in refused.value.details
    assert words in refused.value.details
    assert "word@" not in refused.value.details
    assert "validate" not in refused.value.hint


def test_a_login_is_for_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    path = config(tmp_path, "mirrors:\n  cran: https://me:word@in.example\n", mode=0o644)
    with pytest.raises(InvalidBoxError) as refused:
        load_user_config(path)
    assert "chmod 600" in refused.value.details
    assert "word" not in refused.value.details
    with pytest.raises(InvalidBoxError) as refused:
        box(tmp_path, "mirrors:\n  cran: https://me:word@in.example\n")
    assert "box.yml:4: mirrors.cran: a login must not stand in a box" in refused.value.details
    assert "word@" not in refused.value.details


def test_where_bytes_come_from_does_not_decide_what_a_machine_is(tmp_path: Path) -> None:
    before = box(tmp_path)
    after = box(tmp_path, "mirrors: {cran: 'https://in.example/cran', no_proxy: [x.example]}\n")
    assert after.key == before.key
    assert after.mirrors is not None
    assert "mirrors" not in before.model_dump(mode="json")
    assert "no_proxy" not in before.model_dump(mode="json")["system"]
    again = Plan.model_validate_json(after.model_dump_json())
    assert again == after


def test_what_gets_into_the_machine_does(tmp_path: Path) -> None:
    apt = AptMirrors(debian="http://in.example/debian", debian_security="http://in.example/sec")
    user = Mirrors(apt=apt, proxy="http://p.example:1", no_proxy=("in.example",))
    plan = box(tmp_path, user=user)
    assert plan.key != box(tmp_path).key
    assert plan.mirrors is None
    script = render_bootstrap(plan)
    assert "mirror=http://in.example/debian" in script
    assert "security=http://in.example/sec" in script
    assert 'Acquire::http::Proxy "http://p.example:1";' in script
    assert 'Acquire::http::Proxy::in.example "DIRECT";' in script


def test_a_network_in_no_proxy_counts_for_the_mirror_that_lies_in_it(tmp_path: Path) -> None:
    apt = AptMirrors(debian="http://10.1.2.3/debian")
    user = Mirrors(apt=apt, proxy="http://p.example:1", no_proxy=("10.0.0.0/8", ".in.example"))
    script = render_bootstrap(box(tmp_path, user=user))
    assert 'Acquire::http::Proxy::10.1.2.3 "DIRECT";' in script
    assert "in.example" not in script


def test_what_the_box_says_of_its_system_wins(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text(PEM)
    (tmp_path / "user.pem").write_text(PEM)
    text = (
        "system:\n  proxy: http://own.example:2\n  mirror: {debian: 'http://own.example/debian'}\n"
        "  ca_certificates: [own.pem]\n"
    )
    user = Mirrors(
        apt=AptMirrors(debian="http://in.example/debian"),
        proxy="http://p.example:1",
        no_proxy=("in.example",),
        ca_certificates=(str(tmp_path / "user.pem"),),
    )
    assert box(tmp_path, text, user).key == box(tmp_path, text).key
    assert box(tmp_path, user=user).ca_certificates == (tmp_path / "user.pem",)
    assert len(box(tmp_path, user=user).ca_sha256) == 1


def test_a_boxs_certificates_lie_in_its_root(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bank.pem").write_text(PEM)
    plan = box(tmp_path / "in", "mirrors: {ca_certificates: [bank.pem]}\n")
    assert plan.ca_certificates == (tmp_path / "in" / "bank.pem",)
    assert plan.mirrors is not None
    assert plan.mirrors.ca_certificates == (str(tmp_path / "in" / "bank.pem"),)
    (tmp_path / "out.pem").write_text(PEM)
    with pytest.raises(InvalidBoxError) as refused:
        box(tmp_path / "in", "mirrors: {ca_certificates: [../out.pem]}\n")
    assert "box.yml:3" in refused.value.details
