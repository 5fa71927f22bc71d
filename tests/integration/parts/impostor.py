"""What stands where a key server should: answers with any bytes it is told to."""

import contextlib
import socket
import threading


class Impostor:
    """Sends `answer` for each request, whatever was asked, then closes the connection.

    `pause` makes it drip: it sends one byte, waits so many seconds, and sends the next.
    """

    def __init__(self, answer=b"", pause=0.0):
        self.answer = answer
        self.pause = pause
        self.requests = 0
        self.is_ending = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = []
        self._run(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.is_ending.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        self.listener.close()

    def _run(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, name="impostor", daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # It was shut down.
            self._run(self._serve, client)

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            client.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                data = client.recv(65536)
                if not data:
                    return
                request += data
            self.requests += 1
            answer, pause = self.answer, self.pause
            if not pause:
                client.sendall(answer)
                return
            for index in range(len(answer)):
                client.sendall(answer[index : index + 1])
                if self.is_ending.wait(pause):
                    return


def answer(body=b"", status=b"200 OK", **headers):
    """The bytes of an answer; `None` leaves out a header that is there otherwise."""
    fields = {"content_length": str(len(body)), "voussoir_protocol": "1", **headers}
    fields = {name.replace("_", "-"): value for name, value in fields.items() if value is not None}
    lines = [f"{name}: {value}".encode("latin-1") for name, value in fields.items()]
    return b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"connection: close", b"", b""]) + body
