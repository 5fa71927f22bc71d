"""What a proxy makes of a token, over connections to all of its workers, and what Keystone does."""

import time

from parts import http1
from parts.deadline import wait_until


class Edge:
    """Asks about one token again and again."""

    # So many that each of two workers has some.
    connections = 8

    def __init__(self, port, keystone, token):
        self.port = port
        self.keystone = keystone
        self.request = http1.encode("/", [("x-auth-token", token)])
        self.token = token
        self.open = [http1.Connection(port) for _ in range(self.connections)]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for connection in self.open:
            connection.socket.close()

    def keystones(self):
        """The roles that Keystone says the token gives; None if it refuses it."""
        answer = self.keystone.validation(self.token)
        # 403 if the trustor of a trust is disabled, or has lost a role.
        assert answer.status_code in (200, 403, 404), answer.text
        if answer.status_code != 200:
            return None
        return {role["name"] for role in answer.json()["token"].get("roles", [])}

    def verdict(self):
        """What the service is told, or None for a refusal; each worker's."""
        for connection in self.open:
            connection.send(self.request)
        answers = [connection.response() for connection in self.open]
        return [self._read(answer) for answer in answers]

    def agrees(self, expected):
        return all(verdict == expected for verdict in self.verdict())

    def agrees_within(self, expected, since, seconds):
        """Waits until all workers say the same as Keystone: how long after `since` that is."""

        def agrees():
            asked = time.monotonic()
            return self.agrees(expected) and asked

        left = since + seconds - time.monotonic()
        return wait_until(agrees, f"{expected} from the edge", left) - since

    def _read(self, answer):
        assert answer.status in (200, 401), (answer.status, answer.headers)
        if answer.status == 401:
            return None
        (roles,) = (value for name, value in answer.json()["headers"] if name == "x-roles")
        return set(filter(None, roles.split(",")))
