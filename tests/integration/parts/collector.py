"""A collector of audit events: an HTTP server that takes batches, or does what else servers do."""

import http.server
import json
import threading

# How an audit log is told of it: little room, and no patience.
QUEUE = {"cluster": "collector", "timeout": "2s", "queue": "64KiB", "every": "100ms"}


class Collector:
    """Keeps what is sent to it. `status` is its answer, `None` an end of the connection; while it is held it
    gives none."""

    def __init__(self):
        self.calls = []
        self.status = 204
        self.let_go = threading.Event()
        self.let_go.set()
        handler = type("Handler", (_Handler,), {"collector": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    def hold(self):
        self.let_go.clear()

    def release(self):
        self.let_go.set()

    @property
    def batches(self):
        """The events of each call that was taken."""
        return [events for status, _, events in list(self.calls) if status == 204]

    def events(self, part=""):
        """All events that it has taken, each once, or those of paths with this part."""
        found = {event["id"]: event for batch in self.batches for event in batch}
        return [event for event in found.values() if part in event["requestPath"]]

    def raw(self):
        """All that was sent, as text."""
        return json.dumps(self.calls)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["content-length"]))
        self.collector.let_go.wait(60)
        status = self.collector.status
        self.collector.calls.append((status, dict(self.headers) | {":path": self.path}, json.loads(body)))
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        """Says nothing."""
