"""What is installed, from where, and what is said when it cannot be."""

from pathlib import Path

import pytest

from sandbox.errors import HostError
from sandbox.host.apt import AptFacts, new_packages, parse_targets
from sandbox.host.journal import ChangeKind
from sandbox.providers.incus.packages import (
    install_words,
    missing_for_incus,
    plan_packages,
    source_text,
)
from tests.unit.providers.host_facts import ALL_COMMANDS, DEBIAN_12, FEDORA, a_bare_host, a_host

MIRROR = "http://mirror.example.org/debian"
APT = AptFacts(interrupted=False, archive_uri=MIRROR, backports=False)

TARGETS = f"""\
{MIRROR}/|bookworm|bookworm|Debian|main
{MIRROR}/|bookworm|bookworm|Debian|contrib
{MIRROR}/|bookworm-updates|bookworm-updates|Debian|main
http://security.example.org/debian-security/|bookworm-security|bookworm-security|Debian-Security|main
http://other.example.org/tools/|bookworm|bookworm|Somebody Else|main
"""


def unasked() -> AptFacts:
    raise AssertionError("apt was asked, though nothing is missing")


def test_nothing_missing_asks_nobody() -> None:
    assert plan_packages(a_host(), unasked) == []


def test_a_bare_debian_13_needs_no_source() -> None:
    (action,) = plan_packages(a_bare_host(), lambda: APT)
    assert action.kind is ChangeKind.PACKAGES
    assert {"incus-base", "incus-client", "mmdebstrap", "dnsmasq-base"} <= set(action.names)
    assert "--no-install-recommends" in action.commands[-1].argv


def test_debian_12_gets_incus_and_nothing_else_from_backports() -> None:
    source, install = plan_packages(a_bare_host(DEBIAN_12), lambda: APT)
    assert source.kind is ChangeKind.SOURCE
    assert f"URIs: {MIRROR}\n" in source.content
    assert "Suites: bookworm-backports\n" in source.content
    backported = [word for word in install.commands[-1].argv if "backports" in word]
    assert backported == ["incus-base/bookworm-backports", "incus-client/bookworm-backports"]


def test_a_backports_source_that_is_there_is_used() -> None:
    apt = AptFacts(interrupted=False, archive_uri=MIRROR, backports=True)
    actions = plan_packages(a_bare_host(DEBIAN_12), lambda: apt)
    assert [action.kind for action in actions] == [ChangeKind.PACKAGES]


def test_debian_12_with_incus_needs_no_backports_for_the_rest() -> None:
    host = a_host(DEBIAN_12, commands=ALL_COMMANDS - {"zstd"})
    (action,) = plan_packages(host, lambda: APT)
    assert action.names == ("zstd",)
    assert install_words(action.names, host) == ("zstd",)


def test_an_unknown_mirror_is_said_not_guessed() -> None:
    apt = AptFacts(interrupted=False, archive_uri="", backports=False)
    with pytest.raises(HostError) as caught:
        plan_packages(a_bare_host(DEBIAN_12), lambda: apt)
    assert "bookworm-backports" in caught.value.hint


def test_an_interrupted_dpkg_is_mended_first() -> None:
    apt = AptFacts(interrupted=True, archive_uri=MIRROR, backports=True)
    first, second = plan_packages(a_bare_host(), lambda: apt)
    assert (first.kind, second.kind) == (ChangeKind.REPAIR, ChangeKind.PACKAGES)
    assert first.commands[0].argv == ("dpkg", "--configure", "-a")


def test_what_was_unpacked_by_a_run_cut_off_is_installed_again() -> None:
    # Its commands are there already, so nothing seems to be missing
    half = ("liblxc1", "incus-base", "zstd")
    (action,) = plan_packages(a_host(), lambda: APT, half)
    assert action.names == ("incus-base", "zstd")


def test_other_systems_are_told_what_to_do() -> None:
    bare = a_bare_host(FEDORA, commands=frozenset())
    with pytest.raises(HostError) as caught:
        plan_packages(bare, unasked)
    assert "dnf install incus" in caught.value.hint


def test_other_systems_with_incus_are_fine() -> None:
    host = a_host(FEDORA, commands=frozenset({"incus"}), debian_keyring=False)
    assert plan_packages(host, unasked) == []


def test_btrfs_tools_only_for_a_kernel_with_btrfs() -> None:
    lacking = ALL_COMMANDS - {"btrfs"}
    assert missing_for_incus(a_host(commands=lacking)) == ("btrfs-progs",)
    assert missing_for_incus(a_host(commands=lacking, kernel_btrfs=False)) == ()


def test_targets_name_the_mirror_of_the_release_itself() -> None:
    assert parse_targets(TARGETS, "bookworm") == (MIRROR, False)
    more = TARGETS + f"{MIRROR}/|bookworm-backports|bookworm-backports|Debian Backports|main\n"
    assert parse_targets(more, "bookworm") == (MIRROR, True)
    assert parse_targets("", "bookworm") == ("", False)


def test_targets_before_the_first_update_and_by_suite_name() -> None:
    assert parse_targets(f"{MIRROR}/|bookworm|||main", "bookworm") == (MIRROR, False)
    assert parse_targets(f"{MIRROR}/|oldstable|bookworm|Debian|main", "bookworm") == (MIRROR, False)


def test_source_is_signed_by_the_keyring_of_this_host() -> None:
    text = source_text(MIRROR, "bookworm", Path("/usr/share/keyrings/debian-archive-keyring.pgp"))
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp\n" in text


def test_only_new_packages_are_ours() -> None:
    simulated = (
        "Inst libuv1 (1.44 Debian:12 [amd64])\n"
        "Inst rsync [3.2.6] (3.2.7 Debian:12 [amd64])\n"
        "Inst incus-base (6.0.4 Debian Backports [amd64])\n"
        "Conf libuv1 (1.44 Debian:12 [amd64])\n"
    )
    assert new_packages(simulated) == ("libuv1", "incus-base")
