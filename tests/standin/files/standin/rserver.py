"""Is rserver: reads the configuration, finds R, and serves the sign-in page and calls."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from . import NAME, SUFFIX, claimed_version, is_at_least
from .find_r import NoRError, find_r
from .http_request import Reply, Request
from .keys import RSERVER, RSESSION, RSESSION_INTERNAL
from .logs import Log
from .options import (
    OptionError,
    Options,
    below_root,
    config_dir,
    parse,
    read_file,
    read_knobs,
    unknown_keys,
)
from .process_name import set_name
from .rsa import make_key_pair
from .secrets_kept import make_all, state_dir
from .sessions import Sessions
from .sign_in import entry_of
from .web import Web

_MOST_BYTES = 10_000_000
_HELP = f"""{NAME}
Usage: rserver [--test-config] [--verify-installation=1] [--KEY=VALUE ...]
Reads /etc/rstudio/rserver.conf; a key on the command line wins over the file.
"""


def _log_dir() -> Path:
    return below_root("/var/log/rstudio/rstudio-server")


def _handler(web: Web, root_path: str, log: Log) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "RStudio-stand-in"

        def _answer(self) -> None:
            size = min(int(self.headers.get("Content-Length") or 0), _MOST_BYTES)
            body = self.rfile.read(size)
            request = Request(self.command, self.path, self.headers, body, root_path)
            try:
                reply = web.answer(request)
            except Exception as error:  # noqa: BLE001 one bad request must not end the others
                log.say_error(f"{self.command} {request.path}: {type(error).__name__}: {error}")
                reply = Reply(500, b"<h1>Internal Server Error</h1>")
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
            self.send_header("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
            for name, value in reply.headers:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_POST = do_HEAD = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Log no request: the real server does not."""

    return Handler


_ENDS = (signal.SIGTERM, signal.SIGINT)


def _listen(options: Options, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    address = options.text("www-address", "0.0.0.0")
    # Of the real server a string, since it may be a range on a desktop
    port = int(options.text("www-port", "8787"))

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        daemon_threads = True

    return Server((address, port), handler)


def _own(user: str, *paths: Path) -> None:
    entry = entry_of(user)
    if os.getuid() != 0 or entry is None:
        return
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)
        for one in [path, *path.glob("*")]:
            os.chown(one, entry.pw_uid, entry.pw_gid)


def _put_root_aside(user: str) -> None:
    """Become the server's own user; children get root back to become somebody else."""
    entry = entry_of(user)
    if os.getuid() != 0 or entry is None or entry.pw_uid == 0:
        return
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)


def _serve(options: Options, knobs: dict[str, str], log: Log) -> int:
    time.sleep(float(knobs.get("slow-start-seconds", "0")))
    try:
        found = find_r(options.text("rsession-which-r"))
        sessions = Sessions(options, found, log)
        sessions.make_folder()
        user = options.text("server-user", "rstudio-server")
        if os.getuid() == 0 and entry_of(user) is None:
            log.say_error(f"server-user '{user}' does not exist on this system")
            return 1
        cookies = make_all(options)
        key = make_key_pair(int(knobs.get("key-bits", "2048")))
        web = Web(options, key=key, cookies=cookies, sessions=sessions, log=log)
        root_path = options.text("www-root-path", "/")
        # From the moment that the port answers, a signal to end is one to end well
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        server = _listen(options, _handler(web, root_path, log))
    except (NoRError, OptionError, OSError, ValueError, sqlite3.Error) as error:
        log.say_error(str(error))
        return 1
    _own(user, state_dir(), _log_dir())
    _put_root_aside(user)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in _ENDS:
        # From a thread: shutdown() waits for the loop that this handler interrupts
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    log.say_info(f"{NAME} {claimed_version()}{SUFFIX} with R {found.version} at {found.home}")
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


def _daemonize(options: Options) -> None:
    """Leave the child to go on; the parent writes its id down and ends."""
    child = os.fork()
    if child:
        path = options.text("server-pid-file", str(below_root("/var/run/rstudio-server.pid")))
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(f"{child}\n", encoding="utf-8")
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)


def _check_config() -> int:
    """Name every unknown key, and look for R: only versions from 2026.06 have this."""
    problems = 0
    known = (("rserver.conf", RSERVER), ("rsession.conf", RSESSION | RSESSION_INTERNAL))
    for name, allowed in known:
        path = config_dir() / name
        bad = unknown_keys(path, allowed)
        text = f"[FAIL] {path}: unrecognized option(s): {', '.join(bad)}" if bad else ""
        problems += bool(bad)
        sys.stdout.write(f"{text or f'[PASS] {path}'}\n")
    try:
        pairs = read_file(config_dir() / "rserver.conf", RSERVER)
        which_r = Options(pairs).text("rsession-which-r")
    except OptionError as error:
        problems += 1
        which_r = ""
        sys.stdout.write(f"[FAIL] {error}\n")
    try:
        sys.stdout.write(f"[PASS] R {find_r(which_r).version}\n")
    except NoRError as error:
        problems += 1
        sys.stdout.write(f"[FAIL] {error}\n")
    return 1 if problems else 0


def _verify_installation(options: Options) -> int:
    """Look whether R is found and rsession.conf can be read."""
    from .rsession import main as rsession

    try:
        find_r(options.text("rsession-which-r"))
    except NoRError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    user = pwd.getpwuid(os.getuid()).pw_name
    return rsession(["-u", user, "--verify-installation=1"])


def _options(words: list[str]) -> Options:
    """Read the command line, then the file; raises OptionError."""
    pairs = [(key.lstrip("-"), value) for key, _, value in (word.partition("=") for word in words)]
    given = parse(pairs, RSERVER)
    return Options({**read_file(config_dir() / "rserver.conf", RSERVER), **given})


def main(words: list[str]) -> int:
    """Be rserver."""
    set_name("rserver")
    if "--help" in words:
        sys.stdout.write(_HELP)
        return 0
    log = Log("rserver", to_stderr=True)
    if "--check-config" in words and is_at_least("2026.06"):
        return _check_config()
    modes = {"--test-config", "--verify-installation=1"} & set(words)
    try:
        options = _options([word for word in words if word not in modes])
        for key in ("auth-none", "www-verify-user-agent", "auth-encrypt-password"):
            options.flag(key, default=True)
        knobs = read_knobs()
    except (OptionError, OSError) as error:
        log.say_error(str(error))
        return 1
    if modes:
        return 0 if "--test-config" in modes else _verify_installation(options)
    return _start(options, knobs, log)


def _start(options: Options, knobs: dict[str, str], log: Log) -> int:
    if "failing-start" in knobs:
        log.say_error(f"failing start, as a test wants it: {knobs['failing-start']}")
        return 1
    if options.flag("server-daemonize", default=True):
        _daemonize(options)
        log = Log("rserver")
    return _serve(options, knobs, log)
