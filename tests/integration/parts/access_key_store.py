"""Access keys of the key server's own store, made as an operator makes them."""

import dataclasses
import json
import subprocess

from parts.s3_clients import Account


@dataclasses.dataclass
class AccessKeys:
    """A store on SQLite, and `voussoir-keyserver keys` for it."""

    program: str
    flags: list

    @classmethod
    def in_directory(cls, program, directory):
        """A store that comes into being with its first key."""
        store = ["--store", f"sqlite:{directory}/access-keys.db"]
        return cls(program, [*store, "--store-key", directory / "store-key"])

    def create(self, *flags):
        """A new access key, which is temporary if a flag says so."""
        made = json.loads(self.run("create", "--format=json", "--user-id=bob", *flags))
        return Account(made["access_key"], made["secret"], made.get("session_token"))

    def run(self, command, *words):
        """One command; what it prints."""
        command = [self.program, "keys", command, *self.flags, *words]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
