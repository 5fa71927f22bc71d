"""The feed of changes, as an edge follows it."""

import time

import httpx

from parts.deadline import wait_until
from parts.keyserver import BEARER_TOKEN

# The key server's default, --change-poll.
PERIOD = 1.0


class Feed:
    """An edge's view of the feed, from now on."""

    def __init__(self, server):
        self.url = server.url + "/v1/changes"
        self.changes = []
        self.cursor = None
        self.poll()
        assert self.changes == []

    def get(self, after=None):
        parameters = {"after": after} if after else {}
        headers = {"authorization": f"Bearer {BEARER_TOKEN}"}
        return httpx.get(self.url, params=parameters, headers=headers, timeout=20)

    def poll(self):
        """All that was told so far."""
        more = True
        while more:
            answer = self.get(self.cursor)
            assert answer.status_code == 200, answer.text
            answer = answer.json()
            self.cursor, more = answer["cursor"], answer["more"]
            self.changes += [(change["kind"], change.get("id")) for change in answer["changes"]]
        return self.changes

    def checked(self):
        """When the last complete pass began, in seconds of UNIX time."""
        self.poll()
        return int(self.cursor.split(".")[0]) / 1e6

    def tells(self, kind, identity=None):
        """Waits for a change, which has to be told within two periods."""
        change = (kind, identity)
        begun = time.monotonic()
        wait_until(lambda: change in self.poll(), change, 2 * PERIOD)
        return time.monotonic() - begun
