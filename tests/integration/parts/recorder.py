"""A relay that remembers what was asked of whoever is behind it, head by head."""

import re

from parts.relay import Relay

# The head of a request. No body of ours has one in it: those are JSON, or chance.
_HEAD = re.compile(rb"(?:GET|POST|PUT) ([^ ?]+)\S* HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL)


class Recorder(Relay):
    """Carries connections to a port, and keeps the heads of the requests in their order."""

    def __init__(self, target):
        self.requests = []
        self.rest = {}
        super().__init__(target)

    def carried(self, source, data):
        # A head may come in pieces.
        data = self.rest.get(source, b"") + data
        end = 0
        for head in _HEAD.finditer(data):
            self.requests.append((head[1].decode(), _fields(head[2])))
            end = head.end()
        self.rest[source] = data[end:]

    def heads(self, path):
        """The headers of each request to a path, whatever its query; names are in lower case."""
        return [fields for other, fields in list(self.requests) if other == path]


def _fields(lines):
    fields = (line.partition(":") for line in lines.decode("latin-1").split("\r\n"))
    return {name.lower(): value.strip() for name, _, value in fields}
