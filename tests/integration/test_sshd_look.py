"""Looking whether a machine's sshd answers, over a real socket."""

import socket
import threading

import pytest

from sandbox.providers.incus.instances import ssh_port_is_open


def test_a_look_at_sshd_greets_and_hears_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever comes and goes without a word is an error in the machine's log, which its admin reads
    heard: list[bytes] = []
    real = socket.create_connection
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        address = server.getsockname()
        monkeypatch.setattr(socket, "create_connection", lambda *_, **__: real(address, 2))

        def sshd() -> None:
            taken, _ = server.accept()
            with taken:
                taken.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
                heard.append(taken.recv(64))
                heard.append(taken.recv(64))

        thread = threading.Thread(target=sshd, daemon=True)
        thread.start()
        assert ssh_port_is_open("10.1.2.3")
        thread.join(5)
    # A connection that is reset, because we did not read, ends the second look in an error
    assert heard == [b"SSH-2.0-sandbox\r\n", b""]
