"""EC2 credentials of a Keystone, made as users make them, and Keystone's own word on each."""

import dataclasses
import datetime

from keystoneclient.contrib.ec2.utils import Ec2Signer

from parts.keystone import password_of
from parts.s3_clients import Account


@dataclasses.dataclass
class Holder:
    """Someone with an EC2 credential, and what it takes to change that."""

    user: str
    name: str
    project: str
    account: Account


class Cloud:
    """A domain of its own with a project, roles and users, beside whatever else a Keystone has."""

    def __init__(self, keystone, name):
        self.keystone = keystone
        self.name = name
        self.domain = self.create("domains", "domain", name=name)
        self.project = self.create(
            "projects", "project", name=f"{name} data", domain_id=self.domain
        )
        self.roles = {
            role: self.create("roles", "role", name=f"{name}-{role}")
            for role in ("direct", "implied", "by-group", "inherited", "elsewhere")
        }
        self.group = self.create("groups", "group", name=f"{name} group", domain_id=self.domain)
        roles, call = self.roles, keystone.call
        # Without it nobody may make a credential. It implies `reader`.
        (member,) = call("GET", "/roles?name=member")["roles"]
        roles["member"] = member["id"]
        call("PUT", f"/roles/{roles['direct']}/implies/{roles['implied']}")
        call("PUT", f"/projects/{self.project}/groups/{self.group}/roles/{roles['by-group']}")
        # Some must not appear: this one is for the domain alone.
        call("PUT", f"/domains/{self.domain}/groups/{self.group}/roles/{roles['elsewhere']}")

    def create(self, path, kind, **fields):
        return self.keystone.call("POST", f"/{path}", {kind: fields})[kind]["id"]

    def holder(self, name):
        """A new user with a role of each origin, and an EC2 credential."""
        call, roles = self.keystone.call, self.roles
        fields = {"name": name, "password": password_of(name), "domain_id": self.domain}
        user = self.create("users", "user", **fields)
        call("PUT", f"/groups/{self.group}/users/{user}")
        for role in ("member", "direct"):
            call("PUT", f"/projects/{self.project}/users/{user}/roles/{roles[role]}")
        inherited = f"/domains/{self.domain}/users/{user}/roles/{roles['inherited']}"
        call("PUT", f"/OS-INHERIT{inherited}/inherited_to_projects")
        return Holder(user, name, self.project, self._credential(user, name))

    def delete(self, holder):
        """Takes the credential away."""
        path = f"/users/{holder.user}/credentials/OS-EC2/{holder.account.access}"
        self.keystone.call("DELETE", path)

    def identity(self, holder):
        """What Keystone makes of a request that was signed with the credential."""
        return ec2_answer(self.keystone, holder.account).json()["token"]

    def _credential(self, user, name):
        own = self.keystone.user_token(name, self.domain, {"project": {"id": self.project}})
        path = f"/users/{user}/credentials/OS-EC2"
        made = self.keystone.call("POST", path, {"tenant_id": self.project}, token=own)
        return Account(made["credential"]["access"], made["credential"]["secret"])


def ec2_answer(keystone, account):
    """Keystone's answer to a request that is signed in the old way of EC2 (Signature Version 2)."""
    request = {
        "access": account.access,
        "host": "service",
        "verb": "GET",
        "path": "/",
        "params": {
            "SignatureVersion": "2",
            "SignatureMethod": "HmacSHA256",
            "AWSAccessKeyId": account.access,
            "Timestamp": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    request["signature"] = Ec2Signer(account.secret).generate(request)
    answer = keystone.client.post(
        "/ec2tokens",
        json={"credentials": request},
        headers={"x-auth-token": keystone.admin_token},
    )
    assert answer.is_success, answer.text
    return answer
