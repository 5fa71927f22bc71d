"""Tokens of users whose roles, names and passwords are not as plain as those of `Issuer`."""

import contextlib
import datetime
import sqlite3

from parts.issue import Issued, Issuer
from parts.keystone import password_of

# What is written to the catalogue's service, and what its rules have to allow.
RULED_PATH = "/v1/AUTH_x/photos/2026/november"


# What some roles have besides a name. Keystone's own have the option `immutable`.
MORE = {
    "direct": {"description": 'Says "ja",\r\n\t試', "options": {"immutable": False}},
    "implied": {"description": "", "team": {"of": ["Ω", 1, None]}, "details": "an operator's"},
    "by group": {"description": "whoever is in it", "options": {"immutable": True}},
}


class Everyone(Issuer):
    """A cloud with all ways to come by a role. The database has to be SQLite's."""

    def __init__(self, keystone):
        super().__init__(keystone)
        create, call = self._create, keystone.call
        self.corp = create("domains", "domain", name="Société Ω, Inc.")
        self.parent = create("projects", "project", name="données", domain_id=self.corp)
        place = {"domain_id": self.corp, "parent_id": self.parent}
        self.child = create("projects", "project", name="child of données", **place)
        self.team = create("groups", "group", name="team", domain_id=self.corp)
        names = ("direct", "rôle", "implied", "twice implied", "by group", "below", "of the domain")
        self.roles = {name: create("roles", "role", name=name, **MORE.get(name, {})) for name in names}
        self.roles["private"] = create("roles", "role", name="private", domain_id=self.corp)
        self.roles["through it"] = create("roles", "role", name="through it")
        for prior, implied in (
            ("direct", "implied"),
            ("implied", "twice implied"),
            ("private", "through it"),
        ):
            call("PUT", f"/roles/{self.roles[prior]}/implies/{self.roles[implied]}")

        self.zoe = self._person("zoë 試")
        call("PUT", f"/groups/{self.team}/users/{self.zoe}")
        zoe, team = f"users/{self.zoe}", f"groups/{self.team}"
        self._grant("direct", f"/projects/{self.parent}/{zoe}")
        self._grant("rôle", f"/projects/{self.parent}/{zoe}")
        self._grant("private", f"/projects/{self.parent}/{zoe}")
        self._grant("by group", f"/projects/{self.parent}/{team}")
        self._grant("below", f"/projects/{self.parent}/{zoe}", is_inherited=True)
        self._grant("of the domain", f"/domains/{self.corp}/{team}", is_inherited=True)
        self._grant("by group", f"/domains/{self.corp}/{team}")
        self._grant("rôle", f"/domains/{self.corp}/{zoe}")

        for target in (f"/projects/{self.project}", f"/domains/{self.domain}"):
            self._grant("direct", f"{target}/groups/{self.group}")

        self.max = self._person("max")
        self.crew = create("groups", "group", name="crew", domain_id=self.corp)
        call("PUT", f"/groups/{self.crew}/users/{self.max}")
        self._grant("direct", f"/system/groups/{self.crew}")
        self._grant("below", f"/projects/{self.parent}/users/{self.max}", is_inherited=True)

    def with_roles_of_every_origin(self):
        return self._zoe({"project": {"id": self.parent}})

    def with_roles_in_a_child_project(self):
        return self._zoe({"project": {"id": self.child}})

    def with_an_inherited_role_only(self):
        return self._of("max", {"project": {"id": self.child}})

    def for_a_domain_by_user_and_group(self):
        return self._zoe({"domain": {"id": self.corp}}, "domain")

    def for_the_system_by_a_group(self):
        return self._of("max", {"system": {"all": True}}, "system")

    def unscoped_with_a_name_in_unicode(self):
        return self._zoe("unscoped", "unscoped")

    def of_a_user_whose_password_will_end(self):
        return self._with_password_until(days=30)

    def of_a_user_whose_password_has_ended(self):
        """Whoever had a token by then keeps it."""
        return self._with_password_until(days=-1)

    def of_the_administrator(self):
        return Issued(self.keystone.administrator_token(), "project")

    def of_a_service_user(self):
        return Issued(self._service_user(), "project")

    def of_an_application_credential_with_rules(self):
        rules = [
            {"path": "/v1/AUTH_*/photos/**", "method": method, "service": "object-store"}
            for method in ("GET", "PUT")
        ]
        return self._application_credential(name="ruled", access_rules=rules)

    def of_a_trust_with_a_role_of_a_group(self):
        call = self.keystone.call
        given = {"project": {"id": self.parent}}
        trust = {
            "trustor_user_id": self.zoe,
            "trustee_user_id": self.max,
            "project_id": self.parent,
            "impersonation": True,
            "roles": [{"id": self.roles["by group"]}, {"id": self.roles["direct"]}],
        }
        own = self._zoe(given).token
        made = call("POST", "/OS-TRUST/trusts", {"trust": trust}, token=own)["trust"]
        return self._of("max", {"OS-TRUST:trust": {"id": made["id"]}}, "trust")

    def _service_user(self):
        name = "service"
        user = self._user(name)
        (role,) = self.keystone.call("GET", "/roles?name=service")["roles"]
        path = f"/projects/{self.project}/users/{user}/roles/{role['id']}"
        self.keystone.call("PUT", path)
        return self.keystone.user_token(name, scope=self._project_scope())

    def _with_password_until(self, *, days):
        name = f"password for {days} days"
        user = self._user(name)
        path = f"/projects/{self.project}/users/{user}/roles/{self.role}"
        self.keystone.call("PUT", path)
        token = self.keystone.user_token(name, scope=self._project_scope())
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        path = self.keystone.connection.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            changed = connection.execute(
                "UPDATE password SET expires_at = ?, expires_at_int = ? WHERE local_user_id ="
                " (SELECT id FROM local_user WHERE user_id = ?)",
                (f"{ends:%Y-%m-%d %H:%M:%S.000000}", int(ends.timestamp()) * 1_000_000, user),
            )
            assert changed.rowcount == 1
            connection.commit()
        shown = self.keystone.validate(token)["user"]["password_expires_at"]
        assert shown.startswith(f"{ends:%Y-%m-%dT%H:%M:%S}")
        return Issued(token, "project")

    def _person(self, name):
        fields = {"name": name, "password": password_of(name), "domain_id": self.corp}
        return self._create("users", "user", **fields)

    def _grant(self, role, target, *, is_inherited=False):
        path = f"{target}/roles/{self.roles[role]}"
        if is_inherited:
            path = f"/OS-INHERIT{path}/inherited_to_projects"
        self.keystone.call("PUT", path)

    def _zoe(self, scope, kind="project"):
        return self._of("zoë 試", scope, kind)

    def _of(self, name, scope, kind="project"):
        return Issued(self.keystone.user_token(name, self.corp, scope), kind)


# The names of all methods that issue a token.
WAYS = [way for kind in (Issuer, Everyone) for way in vars(kind) if not way.startswith("_")]
