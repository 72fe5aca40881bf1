"""Goal up: people sign in to RStudio Server, and get a session in which R works.

That its page answers proves little: with a wrong key in rsession.conf everybody signs in, and
nobody gets a session. So one session is started, by an account made for it, and R writes a file.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from threading import Thread
from typing import Final

from sandbox.checks import fixes
from sandbox.checks.check import CannotLook, Check, Look
from sandbox.checks.killing import NO_PROCESS, RESTART_S, kill_main_process
from sandbox.checks.live import CheckedMachine
from sandbox.checks.results import Goal
from sandbox.checks.rstudio_account import (
    CheckAccount,
    make_account,
    read_proof,
    remove_accounts,
    rules_for,
)
from sandbox.checks.rstudio_proof import RstudioProof, parse_proof, proof_code
from sandbox.checks.rstudio_session import NoSession, RstudioClient, SignInFailed, SignInRefusal
from sandbox.deadline import Deadline, wait_while
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.providers.engine import patient
from sandbox.servers.rstudio import SERVER, SIGN_IN, TITLE, way_in
from sandbox.spec.rstudio import RstudioServer, written
from sandbox.spec.rstudio_r import session_r

START_S: Final = 60.0
"""How long a session may take to start at the most, before its budget is asked for."""
_WRITE_S: Final = 20.0
_OFF: Final = ("0", "false", "no")


def wanted(plan: Plan) -> RstudioServer | None:
    """The settings of RStudio Server, where the machine runs it."""
    return plan.services.rstudio_server if SERVER.is_in(plan.services) else None


# Goal up


def up_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield the checks that people can sign in and work, also after a crash."""
    rstudio = wanted(placement.plan)
    if rstudio is None:
        return
    yield Check(
        id="up.page.rstudio",
        goal=Goal.UP,
        title=f"{TITLE} shows its sign-in page",
        expected=f"HTTP 200 and the form at {way_in(placement.plan.services)[1]}{SIGN_IN}",
        why="without the form nobody gets in, whatever systemd says of the service",
        look=lambda machine: _page(placement, machine),
        fix=fixes.up_command(placement),
    )
    yield Check(
        id="up.session.rstudio",
        goal=Goal.UP,
        title=f"{TITLE} signs somebody in, and their R works",
        expected="a sign-in by PAM, a session, and a file that R in it has written",
        why=(
            "a wrong key in rsession.conf, or an R that cannot start, is seen only here: the page"
            " comes, the password is right, and then there is no session"
        ),
        look=lambda machine: _session(placement, machine),
        fix=f"sandbox logs {placement.name}",
    )
    yield Check(
        id="up.restart.rstudio-server",
        goal=Goal.UP,
        title=f"{TITLE} comes back after it is killed",
        expected=f"a new process shows the sign-in page within {RESTART_S:g} s after SIGKILL",
        why="one crash, and nobody can sign in until somebody notices",
        look=lambda machine: _restart(placement, machine),
        fix=fixes.reset_command(placement),
        order=1,
    )


def client_for(plan: Plan, machine: CheckedMachine) -> RstudioClient:
    """Return a new client for the machine's RStudio Server, by the way that people take.

    Raises:
        CannotLook: there is no way from here.
    """
    service, path = way_in(plan.services)
    address = machine.address_of(service)
    if not address:
        raise CannotLook(f"no way to the port of {service} from here")
    return RstudioClient(f"{address}{path}")


def _page(placement: Placement, machine: CheckedMachine) -> Look:
    started = time.monotonic()
    try:
        client_for(placement.plan, machine).open_sign_in()
    except NoSession as error:
        return Look(ok=False, actual=str(error))
    return Look(ok=True, actual=f"the form, after {time.monotonic() - started:.2f} s")


def _session(placement: Placement, machine: CheckedMachine) -> Look:
    try:
        proof = proof_of(placement, machine)
    except (NoSession, SignInFailed) as error:
        return Look(ok=False, actual=str(error))
    return Look(ok=True, actual=f"R {proof.version} wrote a file after {proof.elapsed_s:.1f} s")


def proof_of(placement: Placement, machine: CheckedMachine) -> RstudioProof:
    """Start a session once in a run of checks, and return what R in it has written.

    Raises:
        NoSession: no session starts, or it does nothing.
        SignInFailed: the account of the check cannot sign in; with the reason.
        CannotLook: the machine does not answer.
    """
    run = machine.rstudio
    if run.begun is not None:
        return run.begun.result()
    if run.proof is None:
        run.proof = _tried(placement.plan, machine, lambda: None)
    return run.proof


def begin_session(
    placement: Placement, machine: CheckedMachine, wait_for_page: Callable[[], object]
) -> Thread | None:
    """Start the session of `proof_of` beside other work.

    Args:
        placement: what the machine must be.
        machine: `proof_of` this one waits for the outcome.
        wait_for_page: returns when the sign-in page may be asked for; the account is made before.

    Returns:
        The thread, which ends when the account of the session is gone; None without RStudio Server.
    """
    if wanted(placement.plan) is None:
        return None
    begun: Future[RstudioProof] = Future()
    machine.rstudio.begun = begun

    def work() -> None:
        try:
            begun.set_result(_tried(placement.plan, machine, wait_for_page))
        except BaseException as error:  # noqa: BLE001  (raised again where the outcome is asked for)
            begun.set_exception(error)

    # A daemon: an end of the whole program must not wait for a session that does not come
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


def _tried(
    plan: Plan, machine: CheckedMachine, wait_for_page: Callable[[], object]
) -> RstudioProof:
    client = client_for(plan, machine)
    account = make_account(machine)
    try:
        wait_for_page()
        _signed_in(plan, client, machine, account)
        started = time.monotonic()
        client.start_session(Deadline(patient(START_S, emulated=machine.emulated)))
        client.type(proof_code(account.proof))
        within_s = patient(_WRITE_S, emulated=machine.emulated)
        try:
            program = _program(plan) if machine.rstudio.asks_login else None
            text = read_proof(machine, account, program, within_s=within_s)
        except CannotLook as error:
            raise NoSession(f"a session starts, and its R does nothing: {error}") from error
        return parse_proof(text, elapsed_s=time.monotonic() - started)
    finally:
        remove_accounts(machine)


def _program(plan: Plan) -> str:
    rstudio = wanted(plan)
    r = session_r(plan.r, plan.base, rstudio.r if rstudio is not None else None)
    return r.program if r is not None else "R"


def _signed_in(
    plan: Plan, client: RstudioClient, machine: CheckedMachine, account: CheckAccount
) -> None:
    rstudio = wanted(plan)
    said = rstudio.config.rserver.get("auth-encrypt-password", True) if rstudio else True
    is_encrypted = isinstance(said, tuple) or written(said).lower() not in _OFF
    try:
        client.sign_in(account.name, account.password, is_encrypted=is_encrypted)
    except SignInFailed as error:
        raise why_refused(machine, account.name, error) from error


def why_refused(machine: CheckedMachine, name: str, error: SignInFailed) -> SignInFailed:
    """Say why an account was refused, asking the machine: its answer alone does not tell."""
    if error.refusal is SignInRefusal.BUSY:
        return error
    try:
        why = rules_for(machine, name).why(name)
    except CannotLook:
        return error
    if not why:
        return error
    return SignInFailed(error.refusal, f"{error}: {why}")


def _restart(placement: Placement, machine: CheckedMachine) -> Look:
    started = time.monotonic()
    before, after = kill_main_process(machine, f"{SERVER.unit}.service")
    if before == NO_PROCESS:
        up = fixes.up_command(placement)
        return Look(ok=False, actual="it does not run, so there is nothing to kill", fix=up)
    last = "no new process"

    def ask() -> str:
        try:
            client_for(placement.plan, machine).open_sign_in()
        except NoSession as error:
            return str(error)
        return ""

    if after != NO_PROCESS:
        deadline = Deadline(patient(RESTART_S, emulated=machine.emulated))
        last = wait_while(ask, deadline, every_s=0.1)
    if not last:
        elapsed_s = time.monotonic() - started
        return Look(ok=True, actual=f"there again after {elapsed_s:.1f} s by process {after}")
    # Whatever was found, a check must not leave the machine dead
    machine.sudo(f"systemctl restart {SERVER.unit}.service")
    return Look(ok=False, actual=f"{last} for {RESTART_S:g} s; started again by hand")
