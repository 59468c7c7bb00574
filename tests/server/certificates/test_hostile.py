"""A server whose bytes are damaged on the way: a chain or a reason, and never a fault in the program."""

from __future__ import annotations

import contextlib
import random
import socket
import threading

from OpenSSL import SSL

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason
from closewatch.sources.certificates.places import Endpoint
from closewatch.sources.certificates.tls import fetch
from closewatch.sources.certificates.words import Fault, Unreadable
from tests.server.certificates.authority import CA
from tests.server.certificates.servers import Serve, serving, tls

ROUNDS = 200


def damaging(serve: Serve, chance: random.Random) -> Serve:
    """Another server, some of whose bytes are changed."""

    def relay(connection: socket.socket) -> None:
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=_behind, args=(serve, theirs), daemon=True)
        thread.start()
        ours.settimeout(0.2)
        connection.settimeout(1)
        with contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                ours.sendall(data)
                answer = bytearray()
                with contextlib.suppress(TimeoutError):
                    while part := ours.recv(65_536):
                        answer += part
                        ours.settimeout(0.01)
                for _ in range(chance.choice((1, 1, 3, 10)) if answer else 0):
                    answer[chance.randrange(len(answer))] = chance.randrange(256)
                connection.sendall(answer)
        ours.close()
        thread.join()

    return relay


def _behind(serve: Serve, connection: socket.socket) -> None:
    connection.settimeout(2)
    with contextlib.suppress(OSError, SSL.Error):
        serve(connection)
    connection.close()


def test_damaged_handshakes_have_a_chain_or_a_reason(middle: CA) -> None:
    chance, seen = random.Random(11), set()
    plain = tls(middle.issue(), versions=(SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION))
    with serving(damaging(plain, chance)) as server:
        for _ in range(ROUNDS):
            try:
                seen.add(bool(fetch(Endpoint("it", server.address, ("localhost",)), Deadline.after(0.5)).chain))
            except Unreadable as failure:
                seen.add(failure.reason)
    assert seen <= {True, *Fault, *Reason}
    assert True in seen
    assert Fault.HANDSHAKE in seen or Fault.NOT_TLS in seen
