"""A Keystone and a key server on one engine, and what tests of access keys make in them."""

import base64
import datetime
import hashlib
import hmac
import json
import subprocess
import uuid

from parts.keyserver import KeyServer
from parts.keystone import password_of

SCOPE = {"region": "us-east-1", "service": "s3"}


class World:
    """A Keystone and a key server on one engine, and what the tests make in them."""

    def __init__(self, engine, keystone, program, directory, *options):
        """With more options for the key server."""
        self.options = options
        self.engine = engine
        self.keystone = keystone
        self.program = program
        self.directory = directory
        self.secrets = []
        self.answers = []
        self._somebody = None
        self.store_key = directory / "store-key"
        # The server must not be able to write, so the store is made before.
        self.keys("list")
        self.server = self.start()

    def start(self):
        files = {}
        for name, database in (("keystone-url", "keystone"), ("store-url", "store")):
            files[name] = self.directory / name
            files[name].write_text(self.engine.read_only_url(database) + "\n")
        self.keys("create", "--user-id=first", "--role=member")
        return KeyServer(
            self.program,
            self.keystone.key_repository,
            self.directory,
            f"--keystone-database-file={files['keystone-url']}",
            f"--credential-keys={self.keystone.credential_keys}",
            f"--store-file={files['store-url']}",
            f"--store-key={self.store_key}",
            "--log-level=debug",
            *self.options,
        )

    def keys(self, command, *flags, status=0):
        """`voussoir-keyserver keys` on the store."""
        url = self.directory / "store-url-to-write"
        url.write_text(self.engine.url("store"))
        store = [f"--store-file={url}", f"--store-key={self.store_key}"]
        words = [self.program, "keys", command, *store, *flags]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        assert result.returncode == status, result.stderr
        return result.stdout

    def create(self, *flags):
        created = json.loads(self.keys("create", "--format=json", *flags))
        self.secrets.append(created["secret"])
        return created

    def ask(self, access_key, date=None):
        """Status and JSON of the answer to a question for a signing key."""
        question = SCOPE | {"access_key": access_key, "date": date or today()}
        status, headers, answer = self.server.post("/v1/signing-keys", question)
        self.answers.append(f"{headers} {answer}")
        return status, answer

    def reason(self, access_key):
        status, answer = self.ask(access_key)
        assert status == 404, answer
        return answer["error"]["reason"]

    # What Keystone has.

    def make(self, collection, **fields):
        """A user, project, domain, group or role."""
        member = collection.rstrip("s")
        fields.setdefault("name", f"{member}-{uuid.uuid4().hex[:8]}")
        return self.keystone.call("POST", f"/{collection}", {member: fields})[member]

    def user(self, **fields):
        name = f"user-{uuid.uuid4().hex[:8]}"
        return self.make("users", name=name, password=password_of(name), **fields)

    def project(self, parent=None, **fields):
        parent = {"parent_id": parent["id"], "domain_id": parent["domain_id"]} if parent else {}
        return self.make("projects", **parent, **fields)

    def grant(self, role, actor, target, *, inherited=False):
        """A role for a user or group on a project or domain, or for all below it."""
        holder = "groups" if "description" in actor and "password_expires_at" not in actor else "users"
        kind = "domains" if "is_domain" not in target or target["is_domain"] else "projects"
        path = f"/{kind}/{target['id']}/{holder}/{actor['id']}/roles/{role['id']}"
        if inherited:
            path = f"/OS-INHERIT{path}/inherited_to_projects"
        self.keystone.call("PUT", path)
        return path

    def imply(self, prior, implied):
        self.keystone.call("PUT", f"/roles/{prior['id']}/implies/{implied['id']}")

    def somebody(self):
        """A user with a role in a project, and that project: always the same two."""
        if not self._somebody:
            self._somebody = self.user(), self.project()
            self.grant(self.make("roles"), *self._somebody)
        return self._somebody

    def federate(self, user, group, minutes, verified):
        """A membership that a login by federation made at a time (UTC), for so many minutes.

        No API makes it or shows its end; nor is it worth a federation.
        """
        provider = uuid.uuid4().hex
        self.engine.execute(
            "INSERT INTO identity_provider (id, enabled, domain_id, authorization_ttl)"
            " VALUES (%s, %s, 'default', %s)",
            (provider, True, minutes),
        )
        self.engine.execute(
            "INSERT INTO expiring_user_group_membership (user_id, group_id, idp_id, last_verified)"
            " VALUES (%s, %s, %s, %s)",
            (user["id"], group["id"], provider, as_sql(verified)),
        )

    def credential(self, user, project):
        """An EC2 credential, made by its own API."""
        path = f"/users/{user['id']}/credentials/OS-EC2"
        made = self.keystone.call("POST", path, {"tenant_id": project["id"]})["credential"]
        self.secrets.append(made["secret"])
        return made["access"]

    def credential_with(self, user, project, **blob):
        """An EC2 credential with more in it."""
        blob = {"access": uuid.uuid4().hex, "secret": uuid.uuid4().hex} | blob
        self.secrets.append(blob["secret"])
        credential = {
            "type": "ec2",
            "user_id": user["id"],
            "project_id": project["id"],
            "blob": json.dumps(blob),
        }
        self.keystone.call("POST", "/credentials", {"credential": credential})
        return blob["access"]

    @staticmethod
    def credential_id(access_key):
        return hashlib.sha256(access_key.encode()).hexdigest()

    # Both together.

    def keystones_answer(self, access_key, signing_key):
        """What Keystone says of a signature made with this key, or None."""
        time = f"{today()}T000000Z"
        scope = f"{today()}/{SCOPE['region']}/{SCOPE['service']}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(b'request').hexdigest()}"
        signature = hmac.new(signing_key, text.encode(), hashlib.sha256).hexdigest()
        credentials = {
            "access": access_key,
            "token": base64.urlsafe_b64encode(text.encode()).decode(),
            "signature": signature,
        }
        headers = {"x-auth-token": self.keystone.admin_token}
        answer = self.keystone.client.post(
            "/s3tokens", json={"credentials": credentials}, headers=headers
        )
        assert answer.status_code in (200, 401, 403, 404), answer.text
        return answer.json()["token"] if answer.is_success else None

    def compare(self, access_key, secret=None):
        """The names of the roles that both agree on; None if both refuse."""
        status, answer = self.ask(access_key)
        if status != 200:
            assert answer["error"]["reason"] == "access_key_disabled"
            # Without the key: Keystone has to refuse a signature made with the secret itself.
            assert self.keystones_answer(access_key, derive(secret or self.secrets[-1])[-1]) is None
            return None
        token = self.keystones_answer(access_key, bytes.fromhex(answer["signing_key"]))
        assert token is not None, "Keystone refuses"
        credential = answer["credential"]
        assert {role["id"]: role["name"] for role in credential["roles"]} == {
            role["id"]: role["name"] for role in token["roles"]
        }
        for party in ("user", "project"):
            ours, theirs = credential[party], token[party]
            assert (ours["id"], ours["name"]) == (theirs["id"], theirs["name"])
            assert ours["domain"] == theirs["domain"]
        return {role["name"] for role in credential["roles"]}


def as_sql(time):
    """A time as Keystone writes it to its database."""
    return f"{time:%Y-%m-%d %H:%M:%S.000000}"


def derive(secret):
    """Every key on the way from the secret to the signing key, which is the last."""
    keys = [("AWS4" + secret).encode()]
    for message in (today(), SCOPE["region"], SCOPE["service"], "aws4_request"):
        keys.append(hmac.new(keys[-1], message.encode(), hashlib.sha256).digest())
    return keys[1:]


def today():
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
