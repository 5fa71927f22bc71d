"""An HTTP/1.1 client that sends exactly the bytes it is given, right or wrong."""

import dataclasses
import json
import socket


@dataclasses.dataclass
class Response:
    """What came back. Header names are in lower case, bytes beyond ASCII are Latin-1."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    trailers: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def header(self, name):
        """The value of a header that is there once, or None."""
        values = [value for other, value in self.headers if other == name]
        assert len(values) <= 1, f"{name}: {values}"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


def octets(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def encode(path, headers=(), *, method="GET", body=None, trailers=None, host="service"):
    """The bytes of a request: chunked where there are trailers."""
    lines = [b"%s %s HTTP/1.1" % (octets(method), octets(path)), b"host: " + octets(host)]
    lines += [octets(name) + b": " + octets(value) for name, value in headers]
    if trailers is not None:
        lines.append(b"transfer-encoding: chunked")
        chunks = b"%x\r\n%s\r\n0\r\n" % (len(body), body) if body else b"0\r\n"
        end = b"".join(b"%s: %s\r\n" % (octets(n), octets(v)) for n, v in trailers)
        return b"\r\n".join(lines) + b"\r\n\r\n" + chunks + end + b"\r\n"
    if body is not None:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


class Connection:
    """One connection, over TLS if there is a context for it. The caller decides what is sent when."""

    def __init__(self, port, seconds=20.0, context=None):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def get(self, path, headers=(), **options):
        """One request and its response."""
        self.send(encode(path, headers, **options))
        return self.response(options.get("method", "GET"))

    def response(self, method="GET"):
        """The next response; None when the server closed the connection instead."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = _fields(lines[1:])
        response = Response(status, headers, b"")
        if method == "HEAD" or status in (204, 304):
            return response
        if response.header("transfer-encoding") == "chunked":
            response.body, response.trailers = self._chunks()
        else:
            response.body = self._exactly(int(response.header("content-length") or 0))
        return response

    def has_answer(self):
        """Whether anything has arrived that was not read yet; does not wait."""
        if self.received:
            return True
        self.socket.setblocking(False)
        try:
            self.received += self.socket.recv(65536)
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(20)
        return True

    def _chunks(self):
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._exactly(size)
            self._exactly(2)
        trailers = []
        while line := self._until(b"\r\n"):
            trailers.append(line.decode("latin-1"))
        return body, _fields(trailers)

    def _until(self, mark):
        while mark not in self.received:
            if not self._receive():
                return None
        part, self.received = self.received.split(mark, 1)
        return part

    def _exactly(self, size):
        while len(self.received) < size:
            assert self._receive(), "the connection ended within a body"
        part, self.received = self.received[:size], self.received[size:]
        return part

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.received += data
        return bool(data)


def get(port, path, headers=(), *, context=None, **options):
    """One request on a connection of its own."""
    with Connection(port, context=context) as connection:
        return connection.get(path, headers, **options)


def in_turn(port, requests):
    """The responses to many requests without bodies, over one connection as long as it lasts.

    One by one: when several requests are on their way at once, Envoy answers two of them itself and
    then closes the connection.
    """
    responses = []
    connection = Connection(port)
    for request in requests:
        connection.send(request)
        responses.append(connection.response())
        if responses[-1] is None or responses[-1].header("connection") == "close":
            connection.socket.close()
            connection = Connection(port)
    connection.socket.close()
    return responses


def _fields(lines):
    fields = (line.partition(":") for line in lines)
    return [(name.lower(), value.strip()) for name, _, value in fields]
