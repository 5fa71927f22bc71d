#!/usr/bin/env python3
"""Asks oslo.policy who may do what, by policies of a real service and of one that we made up.

    python tests/vectors/judge_policies.py           writes policies-6.json
    python tests/vectors/judge_policies.py --check   fails if that would change it

Needs the packages of tests/requirements.txt. The output is the same byte for byte each time.
"""

import pathlib
import random
import re
import tempfile

import keystone.common.policies
import vector_file
import yaml
from oslo_config import cfg
from oslo_policy import generator, policy

OUTPUT = pathlib.Path(__file__).with_name("policies-6.json")
IDS = ["a1", "b2", "c3"]
PEOPLE = 80
ROLES = ["admin", "member", "reader", "manager", "auditor"]


def documented(name, check, operations, scopes=("project",), before=None):
    operations = [dict(zip(("method", "path"), it.split(" ", 1), strict=True)) for it in operations]
    if before:
        before = policy.DeprecatedRule(before, "role:reader", deprecated_reason="Words.", deprecated_since="1")
    return policy.DocumentedRuleDefault(
        name, check, "Words.", operations, scope_types=list(scopes), deprecated_rule=before
    )


# In the manner of Nova, whose words these are as far as they go.
COMPUTE = [
    policy.RuleDefault("context_is_admin", "role:admin"),
    policy.RuleDefault("project_member", "role:member and project_id:%(project_id)s"),
    policy.RuleDefault("project_reader", "role:reader and project_id:%(project_id)s"),
    policy.RuleDefault("admin_api", "is_admin:True"),
    policy.RuleDefault("project_member_or_admin", "rule:project_member or rule:context_is_admin"),
    policy.RuleDefault("project_reader_or_admin", "rule:project_reader or rule:context_is_admin"),
    documented("compute:index", "rule:project_reader_or_admin", ["GET /servers"]),
    documented("compute:detail", "rule:project_reader_or_admin", ["GET /servers/detail"]),
    documented("compute:show", "rule:project_reader_or_admin", ["GET /servers/{server_id}"], before="compute:get"),
    documented("compute:create", "rule:project_member_or_admin", ["POST /servers"]),
    documented("compute:create:forced_host", "rule:admin_api", ["POST /servers"]),
    documented("compute:start", "rule:project_member_or_admin", ["POST /servers/{id}/action (os-start)"]),
    documented("compute:migrate", "rule:admin_api", ["POST /servers/{server_id}/action (os-migrate)"]),
    documented("compute:flavors", "@", ["GET /flavors", "GET /flavors/{flavor_id}"], before="compute:types"),
    documented("compute:quota:show", "rule:project_reader_or_admin", ["GET /os-quota-sets/{id}"]),
    documented("compute:hosts", "rule:admin_api and not role:auditor", ["GET /os-hosts"], before="compute:operate"),
    documented("compute:services", "role:admin", ["GET /os-services"], ("system", "project"), "compute:operate"),
    documented("compute:keypairs", "user_id:%(user_id)s", ["GET /os-keypairs/{user_id}/{name}"]),
    documented("compute:nobody", "!", ["DELETE /os-hosts"]),
    documented(
        "compute:domains",
        "role:manager and domain_id:%(domain_id)s",
        ["GET /domains/{domain_id}"],
        ("domain",),
        # Which is a policy still.
        "compute:cells",
    ),
    documented("compute:cells", "not (role:reader or role:member)", ["GET /os-cells"], ("system", "domain", "project")),
]
# What an operator changes: names of its own, the form of old, what was closed, and old names that say nothing any more.
CHANGED = {
    "auditors": "role:auditor and not role:member",
    "compute:index": "rule:project_reader_or_admin or rule:auditors",
    "compute:detail": [["rule:project_reader_or_admin"], ["rule:auditors"]],
    "compute:show": "rule:project_reader_or_admin or rule:auditors",
    "compute:quota:show": "rule:admin_api or (role:manager and user_domain_id:a1)",
    "compute:nobody": "system_scope:all and role:admin",
    "compute:get": "!",
    "compute:types": "rule:compute:flavors",
}
# What stands under names that policies had before.
RENAMED = [
    {"compute:get": "!"},
    {"compute:get": "@"},
    {"compute:get": "not rule:compute:show"},
    {"compute:get": "!", "compute:show": "rule:context_is_admin or rule:project_reader"},
    {"compute:get": "rule:compute:show"},
    {"compute:get": "rule:compute:index"},
    {"compute:operate": "role:auditor"},
    {"compute:operate": "rule:compute:hosts"},
    {"compute:operate": "!", "compute:services": "!"},
    {"compute:operate": "!", "compute:services": "!", "compute:hosts": "rule:compute:operate"},
    {"compute:operate": "rule:compute:hosts", "compute:services": "!"},
    {"compute:cells": "!"},
    {"compute:cells": "!", "compute:domains": "role:manager"},
    {"compute:cells": "rule:compute:domains"},
    {"compute:domains": "!"},
]


def enforcer_of(defaults, rules):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(rules)
        file.flush()
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        enforcer = policy.Enforcer(conf, policy_file=file.name)
        enforcer.suppress_deprecation_warnings = True
        enforcer.register_defaults(defaults)
        enforcer.load_rules()
    enforcer.load_rules = lambda *_: None
    return enforcer


def renamed(changed):
    """A policy file, and which policies it changes that are not in it."""
    rules = yaml.safe_dump(changed)
    found = enforcer_of(COMPUTE, rules).rules
    others = [default for default in COMPUTE if default.name not in changed]
    return {"rules": rules, "taken": [it.name for it in others if str(found[it.name]) != str(it.check)]}


class Service:
    def __init__(self, defaults, changed, prefix, never, seed):
        self.random = random.Random(seed)
        self.prefix, self.never = prefix, never
        texts = generator._sort_and_format_by_section({"x": defaults})
        self.sample = "".join(texts)
        self.rules = yaml.safe_dump(changed)
        self.enforcer = enforcer_of(defaults, self.rules)
        checks = [str(rule) for rule in self.enforcer.rules.values()]
        self.targets = sorted({name for text in checks for name in re.findall(r"%\((.*?)\)s", text)})
        self.people = [self.credentials() for _ in range(PEOPLE)]
        self.operations = {}
        for default in defaults:
            for operation in getattr(default, "operations", []):
                path, methods = operation["path"].split()[0], operation["method"]
                for method in [methods] if isinstance(methods, str) else methods:
                    key = method, re.sub(r"\{.*?\}", "{}", path)
                    self.operations.setdefault(key, (path, []))[1].append(default.name)

    def credentials(self):
        made = {"user_id": self.id(), "user_domain_id": self.id()}
        made["roles"] = self.random.sample(ROLES, self.random.randrange(4))
        made["roles"] = [self.random.choice([it, it, it.title()]) for it in made["roles"]]
        match self.random.choice(["project", "project", "domain", "system", "none"]):
            case "project":
                made |= {"project_id": self.id(), "project_domain_id": self.id()}
            case "domain":
                made["domain_id"] = self.id()
            case "system":
                made["system_scope"] = "all"
        return made

    def id(self):
        return self.random.choice(IDS)

    def requests(self, count):
        for (method, _), (path, names) in sorted(self.operations.items()):
            for _ in range(count):
                yield self.request(method, path, names)

    def request(self, method, path, names):
        values = {name: self.id() for name in re.findall(r"\{(.*?)\}", self.prefix + path)}
        person = self.random.randrange(PEOPLE)
        credentials = self.people[person]
        target = {name: self.target(name, values) for name in self.targets}
        asked = dict(credentials)
        # As services do.
        is_admin = "context_is_admin" in self.enforcer.rules and self.enforcer.enforce(
            "context_is_admin", target, dict(credentials)
        )
        asked["is_admin"] = is_admin
        allowed = [bool(self.enforcer.enforce(it, target, dict(asked))) for it in names]
        return method, (self.prefix + path).format(**values), person, allowed

    def target(self, name, values):
        """What stands in the path, or is stored."""
        return values.get(name.removeprefix("target.").replace(".", "_"), self.id())

    def written(self, count):
        return {
            "sample": self.sample,
            "rules": self.rules,
            "prefix": self.prefix,
            "never": self.never,
            "people": self.people,
            "requests": list(self.requests(count)),
        }


def make():
    compute = Service(COMPUTE, CHANGED, "/v2.1/{project_id}", [], seed=1)
    rules = list(keystone.common.policies.list_rules())
    identity = Service(rules, {}, "", ["is_admin:1"], seed=2)
    services = [compute.written(40), identity.written(4)]
    return {"services": services, "renamed": [renamed(changed) for changed in RENAMED]}


if __name__ == "__main__":
    vector_file.run(__doc__, OUTPUT, make, "oslo.policy 6")
