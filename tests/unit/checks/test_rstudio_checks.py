"""The checks of RStudio Server, on a machine and a server that answer as they are told."""

import pytest

from sandbox.checks import correct, rstudio, safe, snappy, up
from sandbox.checks.check import CannotLook, Check, Look
from sandbox.checks.live import CheckedMachine
from sandbox.checks.rstudio import begin_session
from sandbox.checks.rstudio_account import CheckAccount, SignInRules, make_account
from sandbox.checks.rstudio_proof import RstudioProof, parse_proof, proof_code
from sandbox.checks.rstudio_session import (
    NoSession,
    RstudioClient,
    SignInFailed,
    SignInRefusal,
    encrypted,
    is_sign_in_page,
)
from sandbox.placement import Placement
from sandbox.spec.models import User
from sandbox.spec.rstudio import RstudioConfig, RstudioServer
from sandbox.spec.services import Services
from tests.unit.checks.samples import FakeMachine
from tests.unit.factories import placed, shiny_plan

ACCOUNT = "sandbox-check-1a2b3c 00112233 /home/sandbox-check-1a2b3c\n"
PROOF = "version\t4.2.2\nhome\t/usr/lib/R\nlibrary\t/a\nlibrary\t/b\nend\nplain\t/a\nplain\t/b\n"
RULES = "uid 1004\ngroups x\nleast \nusual 1000\nrequired \npassword P\n"


def placement() -> Placement:
    config = RstudioConfig(rserver={"auth-timeout-minutes": 5}, rsession={"allow-shell": True})
    rstudio_server = RstudioServer(version="2024.12.0+467", config=config)
    update = {
        "services": Services(rstudio_server=rstudio_server),
        "users": (User(name="ada"),),
        "apps": (),
    }
    return placed(shiny_plan().model_copy(update=update))


def check(check_id: str) -> Check[CheckedMachine]:
    plan = placement()
    lists = (up, safe, correct, snappy)
    return next(one for part in lists for one in part.live_checks(plan) if one.id == check_id)


def look(check_id: str, machine: FakeMachine) -> Look:
    return check(check_id).look(machine)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception | None]:
    """What the server says at each step: an error, or nothing."""
    said: dict[str, Exception | None] = dict.fromkeys(("page", "sign_in", "session", "type"))

    def step(name: str) -> None:
        if (error := said[name]) is not None:
            raise error

    monkeypatch.setattr(RstudioClient, "open_sign_in", lambda _: step("page"))
    monkeypatch.setattr(RstudioClient, "sign_in", lambda *_, **__: step("sign_in"))
    monkeypatch.setattr(RstudioClient, "start_session", lambda *_: step("session"))
    monkeypatch.setattr(RstudioClient, "type", lambda *_: step("type"))
    return said


def machine(*output: str) -> FakeMachine:
    return FakeMachine(output=list(output))


def test_a_session_in_which_r_wrote_a_file(server: dict[str, Exception | None]) -> None:
    its = machine(ACCOUNT, PROOF, "")
    found = look("up.session.rstudio", its)
    assert found.ok
    assert found.actual.startswith("R 4.2.2 wrote a file after")
    # Whatever happens, the account goes
    assert "userdel" in its.asked[-1]
    assert look("correct.rstudio.r", its).ok
    assert look("correct.rstudio.libraries", its).ok
    assert look("snappy.session.rstudio", its).ok


def test_another_r_and_other_libraries_are_seen(server: dict[str, Exception | None]) -> None:
    other = PROOF.replace("4.2.2", "4.4.1").replace("plain\t/b\n", "")
    its = machine(ACCOUNT, other, "")
    assert not look("correct.rstudio.r", its).ok
    assert not look("correct.rstudio.libraries", its).ok


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        ("sign_in", SignInFailed(SignInRefusal.PASSWORD, "wrong"), "wrong"),
        ("session", NoSession("no R session starts: HTTP 503"), "no R session starts"),
        ("type", NoSession("the session takes no code"), "takes no code"),
    ],
)
def test_what_goes_wrong_is_said_and_the_account_goes(
    server: dict[str, Exception | None], step: str, error: Exception, words: str
) -> None:
    server[step] = error
    its = machine(ACCOUNT, *([RULES] if step == "sign_in" else []), "")
    found = look("up.session.rstudio", its)
    assert not found.ok
    assert words in found.actual
    assert "userdel" in its.asked[-1]


def test_an_r_that_does_nothing_is_no_session(server: dict[str, Exception | None]) -> None:
    class Silent(FakeMachine):
        def sudo(self, script: str) -> str:
            if "R has written nothing" in script:
                raise CannotLook("R has written nothing")
            return super().sudo(script)

    found = look("up.session.rstudio", Silent(output=[ACCOUNT, ""]))
    assert not found.ok
    assert "its R does nothing" in found.actual


def test_a_session_begun_beside_other_work_is_the_one_that_is_judged(
    server: dict[str, Exception | None],
) -> None:
    its = machine(ACCOUNT, PROOF, "")
    # The account is there before the page is
    thread = begin_session(placement(), its, lambda: its.asked.append("page"))
    assert thread is not None
    found = look("up.session.rstudio", its)
    thread.join()
    assert found.ok
    made, page, read = (
        next(at for at, text in enumerate(its.asked) if word in text)
        for word in ("useradd", "page", "R has written nothing")
    )
    assert made < page < read
    assert "userdel" in its.asked[-1]
    (name,) = its.rstudio.accounts
    assert f"name={name}\n" in its.asked[made]


@pytest.mark.parametrize("step", ["sign_in", "session"])
def test_one_begun_beside_other_work_fails_in_its_own_words(
    server: dict[str, Exception | None], step: str
) -> None:
    failure = {
        "sign_in": SignInFailed(SignInRefusal.BUSY, "nobody twice"),
        "session": NoSession("no R session starts: HTTP 503"),
    }
    server[step] = failure[step]
    its = machine(ACCOUNT, "")
    thread = begin_session(placement(), its, lambda: None)
    assert thread is not None
    found = look("up.session.rstudio", its)
    thread.join()
    assert not found.ok
    assert found.actual == str(failure[step])
    assert "userdel" in its.asked[-1]


def test_one_begun_where_no_account_can_be_made_is_an_error(
    server: dict[str, Exception | None],
) -> None:
    its = machine("")
    assert begin_session(placement(), its, lambda: None) is not None
    with pytest.raises(CannotLook, match="no account"):
        look("up.session.rstudio", its)


def test_nothing_is_begun_without_rstudio(server: dict[str, Exception | None]) -> None:
    its = machine()
    assert begin_session(placed(shiny_plan()), its, lambda: None) is None
    assert its.asked == []


def test_r_in_a_login_is_asked_only_for_the_check_that_compares(
    server: dict[str, Exception | None],
) -> None:
    its = machine(ACCOUNT, PROOF.partition("plain")[0], "")
    its.rstudio.asks_login = False
    assert look("up.session.rstudio", its).ok
    assert not any("su -l" in text for text in its.asked)
    with pytest.raises(CannotLook, match="R in a login"):
        look("correct.rstudio.libraries", its)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (RULES.replace("1004", ""), "there is no account x"),
        (RULES.replace("1004", "999"), "the number of the account x is 999"),
        (RULES.replace("least ", "least 2000"), "those from 2000 on"),
        (RULES.replace("required ", "required analysts"), "x is not in the group analysts"),
        (RULES.replace("password P", "password L"), "x has no password"),
    ],
)
def test_why_an_account_is_refused(rules: str, words: str) -> None:
    error = SignInFailed(SignInRefusal.PASSWORD, "it says that the name or the password is wrong")
    told = rstudio.why_refused(machine(rules), "x", error)
    assert words in str(told)


def test_three_reasons_have_three_messages() -> None:
    wrong = SignInFailed(SignInRefusal.PASSWORD, "it says that the name or the password is wrong")
    busy = SignInFailed(SignInRefusal.BUSY, "it lets nobody try twice within 5 seconds")
    low = rstudio.why_refused(machine(RULES.replace("1004", "999")), "x", wrong)
    same = rstudio.why_refused(machine(RULES), "x", wrong)
    again = rstudio.why_refused(machine(), "x", busy)
    assert len({str(low), str(same), str(again)}) == 3


def test_rules_that_nobody_breaks() -> None:
    rules = SignInRules(1004, 1000, frozenset({"a"}), frozenset({"a", "b"}), locked=False)
    assert rules.why("x") == ""


def test_no_account_shows_its_password() -> None:
    account = make_account(machine(ACCOUNT))
    assert account == CheckAccount(*ACCOUNT.split())
    assert "00112233" not in repr(account)
    with pytest.raises(CannotLook):
        make_account(machine(""))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("machine 100\n600 100 36 /var/lib/rstudio-server/secure-cookie-key\n", ""),
        ("machine 100\n", "it has made no key"),
        ("machine 100\n644 100 36 /k\n", "/k is 0644"),
        ("machine 100\n600 99 36 /k\n", "/k is older than this machine"),
        ("machine 100\n600 100 0 /k\n", "/k has 0 bytes"),
    ],
)
def test_keys(answer: str, words: str) -> None:
    found = look("safe.rstudio.keys", machine(answer))
    assert found.ok is (not words)
    assert words in found.actual


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("644 root\n@include common-auth\n@include common-account\n", ""),
        ("", "there is no /etc/pam.d/rstudio"),
        ("666 root\n@include common-auth\n", "it is root's, 0666"),
        ("644 root\nauth sufficient pam_permit.so\n", "`auth sufficient pam_permit.so`"),
        ("644 root\naccount required pam_unix.so\n", "nothing in it asks for a password"),
    ],
)
def test_pam(answer: str, words: str) -> None:
    found = look("safe.rstudio.pam", machine(answer))
    assert found.ok is (not words)
    assert words in found.actual


def test_a_server_that_takes_any_password(server: dict[str, Exception | None]) -> None:
    assert not look("safe.rstudio.wrong-password", machine(ACCOUNT, "")).ok
    server["sign_in"] = SignInFailed(SignInRefusal.PASSWORD, "no")
    assert look("safe.rstudio.wrong-password", machine(ACCOUNT, "")).ok


CONFIG = (
    "@rserver\n# Written by sandbox\nwww-address=0.0.0.0\nwww-port=8787\n"
    "rsession-which-r=/usr/bin/R\nauth-timeout-minutes=5\n@rsession\nallow-shell=1\n"
)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (CONFIG, ""),
        (CONFIG.replace("8787", "80"), "rserver.conf lacks www-port=8787; rserver.conf has"),
        (CONFIG + "allow-vcs=0\n", "rsession.conf has allow-vcs=0"),
        ("", "rserver.conf lacks auth-timeout-minutes=5"),
    ],
)
def test_settings(answer: str, words: str) -> None:
    found = look("correct.rstudio.config", machine(answer))
    assert found.ok is (not words)
    assert words in found.actual


@pytest.mark.parametrize(
    ("answer", "ok", "words"),
    [
        ("0 0", False, "it does not run"),
        ("12 0", False, "started again by hand"),
        ("12 34", True, "by process 34"),
    ],
)
def test_a_restart(
    server: dict[str, Exception | None],
    answer: str,
    ok: bool,
    words: str,
) -> None:
    found = look("up.restart.rstudio-server", machine(answer, ""))
    assert found.ok is ok
    assert words in found.actual


def test_no_way_to_the_port_is_no_verdict() -> None:
    with pytest.raises(CannotLook):
        look("up.page.rstudio", FakeMachine(address=""))


# The parts


def test_a_password_is_encrypted_as_the_page_does_it() -> None:
    import base64

    # 512 bits, of two primes that everybody may know
    p = 2**255 - 19
    q = 2**256 - 189
    modulus, exponent = p * q, 65537
    number = int.from_bytes(base64.b64decode(encrypted("ann\nsecret", exponent, modulus)), "big")
    plain = pow(number, pow(exponent, -1, (p - 1) * (q - 1)), modulus)
    block = plain.to_bytes((modulus.bit_length() + 7) // 8, "big")
    assert block.startswith(b"\0\2")
    filler, message = block[2:].split(b"\0", 1)
    assert len(filler) >= 8
    assert message == b"ann\nsecret"
    with pytest.raises(ValueError, match="too long"):
        encrypted("x" * 60, exponent, modulus)


def test_what_r_says_is_read_whole_or_not_at_all() -> None:
    proof = parse_proof(PROOF, elapsed_s=2.0)
    assert proof == RstudioProof("4.2.2", "/usr/lib/R", ("/a", "/b"), ("/a", "/b"), 2.0)
    with pytest.raises(NoSession):
        parse_proof(PROOF.replace("end\n", ""), elapsed_s=2.0)


def test_the_code_is_one_line_and_quotes_the_path() -> None:
    code = proof_code('/home/x "y"/proof')
    assert "\n" not in code
    assert '"/home/x \\"y\\"/proof"' in code


def test_a_sign_in_page_is_known_by_its_form() -> None:
    assert is_sign_in_page("<input id='username'><input id=\"password\">")
    assert not is_sign_in_page("<h1>unsupported browser</h1>")
