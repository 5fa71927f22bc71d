"""Very many requests in a short time: what an attacker sends."""

import re
import socket
import threading

BATCH = 250
# A status line, as it begins each response; no body of ours has one in it.
STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


def flood(port, make, count, connections=8):
    """Sends `make(0)` ... `make(count - 1)`, pipelined; returns how often each status came back."""
    statuses, failures, lock = {}, [], threading.Lock()
    share = -(-count // connections)

    def send(first):
        try:
            found = _send(port, make, range(first, min(first + share, count)))
        except OSError as error:
            failures.append(error)
            return
        with lock:
            for status, number in found.items():
                statuses[status] = statuses.get(status, 0) + number

    threads = [threading.Thread(target=send, args=[n * share]) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    return statuses


def _send(port, make, numbers):
    statuses = {}
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for begin in range(numbers.start, numbers.stop, BATCH):
            batch = range(begin, min(begin + BATCH, numbers.stop))
            connection.sendall(b"".join(map(make, batch)))
            for status in _statuses(connection, len(batch)):
                statuses[status] = statuses.get(status, 0) + 1
    return statuses


def _statuses(connection, count):
    """The statuses of so many responses; the body of the last may still be on its way."""
    found, rest = [], b""
    while len(found) < count:
        piece = connection.recv(1 << 20)
        if not piece:
            raise ConnectionResetError("the proxy closed the connection")
        data = rest + piece
        matches = list(STATUS.finditer(data))
        found += [int(match[1]) for match in matches]
        # A status line may be cut in two, and none is to be counted twice.
        keep = max(matches[-1].end() if matches else 0, len(data) - 12)
        rest = data[keep:]
    return found
