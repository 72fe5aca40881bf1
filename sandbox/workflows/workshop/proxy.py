"""The proxy in front of all seats: an nginx of the workshop's own, in its folder.

Its files say what is wanted; `loaded` says which of them nginx has read, and which nginx that was.
So whatever was cut off between the two is put right by the next call.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox.errors import HostError, UsageError
from sandbox.files import write_whole
from sandbox.host.nginx import WORKERS, OwnNginx, require_nginx
from sandbox.locks import Lock
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.claims import CLAIM_ADDRESS, claim_port
from sandbox.workshop.names import claim_host, seat_host
from sandbox.workshop.proxy_config import (
    ProxySettings,
    SeatFront,
    SeatRoute,
    fronts_of,
    map_file,
    proxy_conf,
    seats_file,
)
from sandbox.workshop.store import WorkshopStore

_TOGETHER_S: Final = 0.3
"""Changes that come within this time are read by nginx together: each reload is a new worker."""
_LOADED: Final = "loaded"


def ensure_proxy(ws: RunningWorkshop) -> None:
    """Start the proxy where it does not run, and let it read what has changed; can be done again.

    Raises:
        HostError: nginx is not installed, its port is taken, or it refuses its files.
    """
    require_nginx()
    _require_certificate(ws)
    with _held(ws):
        _bring_up(ws, may_start=True)


def refresh_proxy(ws: RunningWorkshop) -> None:
    """Write the maps from the seat map; let the proxy read them when they have changed.

    When it returns, no new connection goes where it went before. May be called from many threads
    and processes at once. A proxy that does not run is not started: it reads the maps when it is.

    Raises:
        HostError: nginx refuses its files.
    """
    with _held(ws):
        _bring_up(ws, may_start=False)


def stop_proxy(ws: RunningWorkshop) -> None:
    """End the proxy, with all connections; does nothing when it does not run."""
    if not ws.store.exists():
        # Somebody removed the folder by hand; nginx may still run
        _nginx(ws).stop()
        return
    with _held(ws):
        _nginx(ws).stop()
        (_nginx(ws).folder / _LOADED).unlink(missing_ok=True)


def end_proxy(store: WorkshopStore) -> None:
    """End the proxy by the workshop's folder alone, when its record cannot be read."""
    folder = store.folder / "nginx"
    if folder.is_dir():
        OwnNginx(folder, 0, "listen.port").stop()


def proxy_runs(ws: RunningWorkshop) -> bool:
    """Tell whether the proxy runs."""
    return _nginx(ws).runs()


def fronts(ws: RunningWorkshop) -> tuple[SeatFront, ...]:
    """Return the servers of each seat that the proxy hands on to: their names, paths and ports."""
    return fronts_of(ws.record.placement.plan.services)


def _bring_up(ws: RunningWorkshop, *, may_start: bool) -> None:
    nginx = _nginx(ws)
    wanted = _write(ws, nginx.folder)
    master = nginx.master()
    if master is None:
        if may_start:
            nginx.start()
            _note(nginx, wanted)
        return
    loaded = nginx.folder / _LOADED
    if _text(loaded) == _mark(master, wanted):
        return
    _wait_for_more(loaded)
    wanted = _write(ws, nginx.folder)
    nginx.reload()
    _note(nginx, wanted)


def _wait_for_more(loaded: Path) -> None:
    """Wait until the last reload is a moment ago; what changes meanwhile is read with this one."""
    with suppress(OSError):
        ago_s = time.time() - loaded.stat().st_mtime
        if 0 <= ago_s < _TOGETHER_S:
            time.sleep(_TOGETHER_S - ago_s)


def _write(ws: RunningWorkshop, folder: Path) -> str:
    """Write the files that differ from those wanted; return what tells one state from another."""
    digest = hashlib.sha256()
    for name, text in sorted(_files(ws, folder).items()):
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
        if _text(folder / name) != text:
            write_whole(folder / name, text)
    return digest.hexdigest()


def _files(ws: RunningWorkshop, folder: Path) -> Mapping[str, str]:
    seats, ways = ws.map().seats, fronts(ws)
    domain = ws.workshop.names.domain.lower()
    routes = [
        SeatRoute(
            seat_host(one.number, domain),
            {
                front.server: one.upstreams[front.port]
                for front in ways
                if front.port in one.upstreams
            },
        )
        for one in seats
        if one.ready
    ]
    return {
        "nginx.conf": proxy_conf(_settings(ws, folder)),
        "seats.map": seats_file(seat_host(one.number, domain) for one in seats),
        **{f"{front.server}.map": map_file(front.server, routes) for front in ways},
    }


def _settings(ws: RunningWorkshop, folder: Path) -> ProxySettings:
    said, record = ws.workshop, ws.record
    address = said.listen.address
    host = f"[{address}]" if ":" in address else address
    return ProxySettings(
        folder=str(folder),
        listen=f"{host}:{said.listen.port}",
        claim_host=claim_host(said.names.domain.lower()),
        claim_upstream=f"{CLAIM_ADDRESS}:{claim_port(said.listen)}",
        fronts=fronts(ws),
        user=WORKERS if os.geteuid() == 0 else "",
        certificate=str(record.certificate or ""),
        key=str(record.key or ""),
    )


def _require_certificate(ws: RunningWorkshop) -> None:
    for path in (ws.record.certificate, ws.record.key):
        if path is not None and not os.access(path, os.R_OK):
            raise UsageError(
                f"{path} cannot be read: the proxy needs the certificate and its key",
                hint="`tls` in the workshop file names both",
            )


def _nginx(ws: RunningWorkshop) -> OwnNginx:
    return OwnNginx(ws.store.folder / "nginx", ws.workshop.listen.port, "listen.port")


def _held(ws: RunningWorkshop) -> Lock:
    ws.store.part("nginx")
    return ws.store.hold("proxy")


def _note(nginx: OwnNginx, wanted: str) -> None:
    master = nginx.master()
    if master is None:
        raise HostError("the proxy ended just after it began", hint=f"see {nginx.log}")
    write_whole(nginx.folder / _LOADED, _mark(master, wanted))


def _mark(master: int, wanted: str) -> str:
    return f"{master} {wanted}\n"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
