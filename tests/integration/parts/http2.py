"""An HTTP/2 client with prior knowledge: many streams, trailers, and headers as odd as wanted."""

import dataclasses
import socket

import h2.config
import h2.connection
import h2.events

from parts.http1 import Response, octets


@dataclasses.dataclass
class Stream:
    """What has come back on a stream so far."""

    headers: list | None = None
    body: bytes = b""
    is_ended: bool = False
    reset: int | None = None


class Client:
    """One connection."""

    def __init__(self, port, seconds=20.0):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        # Unchecked on our side: what the server makes of it is the question.
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.streams = {}
        self.is_closed = False
        self.connection.initiate_connection()
        self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def start(self, path, headers=(), *, method="GET", is_end=True, authority="service"):
        """Opens a stream, and returns its number."""
        number = self.connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", authority)]
        fields = [*pseudo, (":path", path), *headers]
        fields = [(octets(name), octets(value)) for name, value in fields]
        self.connection.send_headers(number, fields, end_stream=is_end)
        self.streams[number] = Stream()
        self._flush()
        return number

    def data(self, number, body, *, is_end=True):
        """Sends a body, as flow control allows."""
        while body:
            size = min(
                self.connection.local_flow_control_window(number),
                self.connection.max_outbound_frame_size,
                len(body),
            )
            if size == 0:
                self._receive()
                continue
            part, body = body[:size], body[size:]
            self.connection.send_data(number, part, end_stream=is_end and not body)
            self._flush()

    def end(self, number):
        """Ends a request with a frame that holds no data."""
        self.connection.end_stream(number)
        self._flush()

    def trailers(self, number, fields):
        fields = [(octets(name), octets(value)) for name, value in fields]
        if fields:
            self.connection.send_headers(number, fields, end_stream=True)
            self._flush()
        else:
            # h2 sends no frame without a field: HEADERS, with END_STREAM and END_HEADERS.
            self.socket.sendall(b"\0\0\0\x01\x05" + number.to_bytes(4))

    def reset(self, number):
        self.connection.reset_stream(number)
        self._flush()

    def get(self, path, headers=(), **options):
        """One request and its response."""
        return self.response(self.start(path, headers, **options))

    def response(self, number):
        """The whole response on a stream; None when it was reset, or the connection closed."""
        stream = self.streams[number]
        while not stream.is_ended:
            if stream.reset is not None or self.is_closed:
                return None
            self._receive()
        fields = [(name.decode(), value.decode("latin-1")) for name, value in stream.headers]
        status = int(dict(fields)[":status"])
        headers = [(name, value) for name, value in fields if not name.startswith(":")]
        return Response(status, headers, stream.body)

    def has_answer(self, number):
        """Whether anything has come back on a stream; does not wait."""
        self.socket.setblocking(False)
        try:
            self._receive()
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(20)
        return self.is_closed or self.streams[number].headers is not None

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_closed = True
            return
        for event in self.connection.receive_data(data):
            match event:
                case h2.events.ResponseReceived():
                    self.streams[event.stream_id].headers = event.headers
                case h2.events.DataReceived():
                    self.streams[event.stream_id].body += event.data
                    self.connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                case h2.events.StreamEnded():
                    self.streams[event.stream_id].is_ended = True
                case h2.events.StreamReset():
                    self.streams[event.stream_id].reset = event.error_code
                case h2.events.ConnectionTerminated():
                    self.is_closed = True
        self._flush()

    def _flush(self):
        self.socket.sendall(self.connection.data_to_send())
