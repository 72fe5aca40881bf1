"""Our client of RStudio Server against the stand-in for it: sign in, start a session, run R."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from sandbox.checks.rstudio_proof import parse_proof, proof_code
from sandbox.checks.rstudio_session import NoSession, RstudioClient, SignInFailed, SignInRefusal
from sandbox.deadline import Deadline, wait_until
from tests.conftest import cannot_run
from tests.standin.lab import ANN, PASSWORD, StandinLab

NO_THROTTLE = "--auth-sign-in-throttle-seconds=0"


@pytest.fixture
def lab() -> Iterator[StandinLab]:
    if os.geteuid() != 0:
        cannot_run("needs root, to sign somebody in: sudo make test")
    for program in ("R", "openssl", "unshare", "/usr/bin/python3"):
        if shutil.which(program) is None:
            cannot_run(f"there is no {program}: tools/prepare.sh --test")
    words = ["unshare", "-m", "--propagation", "private", "true"]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        cannot_run("no mount namespace can be made here")
    with StandinLab() as made:
        yield made


def client(lab: StandinLab, path: str = "") -> RstudioClient:
    return RstudioClient(f"http://127.0.0.1:{lab.port}{path}")


def test_somebody_signs_in_and_r_writes_a_file(lab: StandinLab) -> None:
    lab.start()
    ours = client(lab)
    ours.sign_in(ANN, PASSWORD)
    ours.start_session(Deadline(30))
    file = lab.home / "proof"
    ours.type(proof_code(str(file)))
    assert wait_until(file.is_file, Deadline(20), every_s=0.1)
    proof = parse_proof(file.read_text(), elapsed_s=1.0)
    wanted = subprocess.run(
        ["Rscript", "-e", "cat(R.version$major, R.version$minor, sep = '.')"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert proof.version == wanted
    assert proof.libraries
    assert not file.with_name("proof.part").exists()


def test_three_ways_to_be_refused(lab: StandinLab) -> None:
    lab.start()
    with pytest.raises(SignInFailed) as wrong:
        client(lab).sign_in(ANN, "wrong")
    with pytest.raises(SignInFailed) as busy:
        client(lab).sign_in(ANN, PASSWORD)
    with pytest.raises(SignInFailed) as other:
        client(lab).sign_in("root", "wrong")
    found = [wrong.value.refusal, busy.value.refusal, other.value.refusal]
    assert found == [SignInRefusal.PASSWORD, SignInRefusal.BUSY, SignInRefusal.ACCOUNT]
    assert len({str(one.value) for one in (wrong, busy, other)}) == 3


def test_a_wrong_key_for_sessions_is_seen_only_when_one_starts(lab: StandinLab) -> None:
    lab.configure("rsession.conf", "no-such-key=1\n")
    lab.start()
    ours = client(lab)
    ours.sign_in(ANN, PASSWORD)
    with pytest.raises(NoSession):
        ours.start_session(Deadline(3))


def test_a_password_that_need_not_be_encrypted(lab: StandinLab) -> None:
    lab.start("--auth-encrypt-password=0", NO_THROTTLE)
    client(lab).sign_in(ANN, PASSWORD, is_encrypted=False)
    with pytest.raises(SignInFailed):
        client(lab).sign_in(ANN, "wrong", is_encrypted=False)


def test_a_path_that_only_changes_addresses(lab: StandinLab) -> None:
    lab.start("--www-root-path=/rstudio")
    # A server in front of it takes the path away; here nobody does
    ours = client(lab)
    ours.sign_in(ANN, PASSWORD)
    ours.start_session(Deadline(30))


def test_nothing_that_is_no_rstudio_server(lab: StandinLab) -> None:
    with pytest.raises(NoSession):
        RstudioClient("http://127.0.0.1:1").open_sign_in()
    with pytest.raises(NoSession, match=r"no answer|refused"):
        client(lab).sign_in(ANN, PASSWORD)
