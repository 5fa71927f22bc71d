"""The key server, as its binary."""

import re
import ssl
import urllib.error
import urllib.request

import httpx

from parts.process import Process

# What edges and key servers of these tests share. A key server takes none that is shorter than 16.
BEARER_TOKEN = "bearer-token-of-the-tests"


class KeyServer(Process):
    """`voussoir-keyserver` on a port of its own: it serves a key repository, or demonstrates.

    With options it serves more: see `of_keystone`.
    """

    def __init__(self, binary, key_repository, directory, *options):
        super().__init__("keyserver", directory)
        tokens = directory / "bearer-tokens"
        tokens.write_text(BEARER_TOKEN + "\n")
        tokens.chmod(0o600)
        if key_repository is None:
            command = ["demo", "--directory", directory / "demo"]
        else:
            command = ["serve", "--fernet-keys", key_repository]
        command += ["--listen", "127.0.0.1:0", "--bearer-tokens", tokens]
        self.spawn([binary, *command, *options])
        try:
            listening = self.wait_until_ready(self._listening, "to listen")
            self.url, self.port = listening[1], int(listening[2])
            self.wait_until_ready(lambda: self.get("/readyz") is not None, "to be ready")
        except BaseException:
            self.stop()
            raise

    @classmethod
    def of_keystone(cls, binary, keystone, directory, *options):
        """Serves all that a Keystone has: the keys of tokens, and signing keys."""
        database = directory / "keystone-database"
        database.write_text(keystone.connection + "\n")
        database.chmod(0o600)
        more = ["--keystone-database-file", database, "--credential-keys", keystone.credential_keys]
        return cls(binary, keystone.key_repository, directory, *more, *options)

    def _listening(self):
        return re.search(r"listening on (https?://127\.0\.0\.1:(\d+))", self.log())

    def get(self, path):
        """The body of a successful answer, else None."""
        # The certificate is for the edges to check; here it is about the answer.
        context = ssl._create_unverified_context()
        try:
            with urllib.request.urlopen(self.url + path, timeout=5, context=context) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            return None

    def post(self, path, question, **headers):
        """Status, headers and JSON of the answer to a question in JSON."""
        headers = {"authorization": f"Bearer {BEARER_TOKEN}"} | headers
        answer = httpx.post(self.url + path, json=question, headers=headers, timeout=20)
        return answer.status_code, answer.headers, answer.json()

    def answers(self, status=None, path="/v1/token-keys"):
        """How many requests for keys were answered, all of them or those with one status."""
        labels = f'(?=[^}}]*path="{path}")'
        if status is not None:
            labels += f'(?=[^}}]*status="{status}")'
        return self._count(r"_requests_total\{" + labels + r"[^}]*\} ")

    def primary_key_id(self):
        return self._count("_primary_key_id ")

    def _count(self, pattern):
        values = re.findall(f"(?m)^voussoir_keyserver{pattern}([0-9.]+)$", self.get("/metrics"))
        return int(sum(map(float, values)))
