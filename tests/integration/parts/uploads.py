"""Uploads in every form that S3 has for a body, over each version of HTTP, right ones and wrong ones."""

import base64
import contextlib
import dataclasses
import re
import zlib

from parts import http1, signing
from parts.http2 import Client as Http2
from parts.s3_store import DOMAIN

# What SDKs make of a chunk.
PIECE = 64 << 10


@dataclasses.dataclass
class Upload:
    """A signed head and a body, which may be its own or not."""

    path: str
    headers: list
    body: bytes

    def send(self, port, transport, *, trailers=None):
        """Sends it as a whole, and waits for nothing: what does, when called."""
        if transport.startswith("http1"):
            return self._send_http1(port, transport, trailers)
        return self._send_http2(port, transport, trailers)

    def _send_http1(self, port, transport, trailers):
        if trailers is None and transport == "http1-chunked":
            trailers = []
        connection = http1.Connection(port)
        head = {"method": "PUT", "host": DOMAIN, "body": self.body, "trailers": trailers}
        # It may be refused before all was sent; the response is there all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(http1.encode(self.path, self.headers, **head))

        def response():
            with connection:
                return connection.response()

        return response

    def _send_http2(self, port, transport, trailers):
        client = Http2(port)
        headers = list(self.headers)
        if transport == "http2-length":
            headers.append(("content-length", str(len(self.body))))
        options = {"method": "PUT", "is_end": False, "authority": DOMAIN}
        stream = client.start(self.path, headers, **options)
        is_last = transport != "http2-empty-last-frame" and trailers is None and bool(self.body)
        # As over HTTP/1.1: nothing more is read of a request that was answered.
        client.data(stream, self.body, is_end=is_last)
        if trailers is not None:
            client.trailers(stream, trailers)
        elif not is_last:
            client.end(stream)

        def response():
            with client:
                return client.response(stream)

        return response


def checksum(data):
    return "x-amz-checksum-crc32", base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()


def in_chunks(account, path, data, content, **options):
    """A signed head of a body in chunks, and the pieces and trailers of that body."""
    headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", str(len(data))),
    ]
    trailers = [checksum(data)] if content.endswith("-TRAILER") else []
    headers += [("x-amz-trailer", name) for name, _ in trailers]
    signed = signing.sign(account, "PUT", path, headers, content=content, **options)
    pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
    return signed, pieces, trailers


def upload(account, mode, path, data, *, is_right=True, **options):
    """An upload in one of the modes; if it is wrong, in the last byte."""
    if mode in CONTENTS:
        signed, pieces, trailers = in_chunks(account, path, data, CONTENTS[mode], **options)
        if mode == "unsigned-trailer":
            body = signing.plain_chunks(pieces, trailers)
        else:
            body = signed.chunks(pieces, trailers)
        if not is_right:
            body = with_another_end(body, data)
    else:
        content = signing.UNSIGNED if mode == "unsigned" else None
        signed = signing.sign(account, "PUT", path, body=data, content=content, **options)
        body = data if is_right else data[:-1] + (flipped(data[-1:]) if data else b"x")
    return Upload(path, signed.headers, body)


def with_another_end(body, data):
    """Chunks with another last byte of data, or if there is none, of what vouches for that."""
    if data:
        at = body.rindex(data[-1:] + b"\r\n0")
        return body[:at] + flipped(data[-1:]) + body[at + 1 :]
    found = list(re.finditer(rb"(?:signature=|x-amz-checksum-crc32:)(.)", body))[-1]
    other = b"0" if found[1] != b"0" else b"1"
    return body[: found.start(1)] + other + body[found.end(1) :]


def flipped(byte):
    return bytes([byte[0] ^ 1])


CONTENTS = {
    "chunks": signing.STREAMING,
    "chunks-trailer": signing.STREAMING + "-TRAILER",
    "unsigned-trailer": signing.UNSIGNED_TRAILER,
}
MODES = ["hash", "unsigned", *CONTENTS]
