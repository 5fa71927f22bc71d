"""The key server, as its binary."""

import re
import urllib.error
import urllib.request

from parts.process import Process

# What edges and key servers of these tests share. A key server takes none that is shorter than 16.
BEARER_TOKEN = "bearer-token-of-the-tests"


class KeyServer(Process):
    """`voussoir-keyserver serve` on a port of its own."""

    def __init__(self, binary, key_repository, directory, *, listen="127.0.0.1:0"):
        super().__init__("keyserver", directory)
        tokens = directory / "bearer-tokens"
        tokens.write_text(BEARER_TOKEN + "\n")
        tokens.chmod(0o600)
        command = [binary, "serve", "--listen", listen, "--fernet-keys", key_repository]
        self.spawn([*command, "--bearer-tokens", tokens])
        try:
            self.port = int(self.wait_until_ready(self._port, "to listen")[1])
            self.wait_until_ready(lambda: self.get("/readyz") is not None, "to be ready")
        except BaseException:
            self.stop()
            raise

    def _port(self):
        return re.search(r"listening on http://127\.0\.0\.1:(\d+)", self.log())

    def get(self, path):
        """The body of a successful answer, else None."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            return None

    def answers(self, status=None):
        """How many requests for keys were answered, all of them or those with one status."""
        wanted = r"\d+" if status is None else str(status)
        return self._count(
            r'_requests_total\{(?=[^}]*path="/v1/token-keys")(?=[^}]*status="%s")[^}]*\} ' % wanted
        )

    def primary_key_id(self):
        return self._count("_primary_key_id ")

    def _count(self, pattern):
        values = re.findall(f"(?m)^voussoir_keyserver{pattern}([0-9.]+)$", self.get("/metrics"))
        return int(sum(map(float, values)))
