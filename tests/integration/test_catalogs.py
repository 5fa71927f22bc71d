"""The service catalogue of the key server, filled in by hand, against that of Keystone's own tokens."""

import time
import uuid

import pytest

from parts.deadline import wait_until
from parts.feed import Feed

# The first test of each engine waits for a database and a Keystone.
pytestmark = pytest.mark.timeout(300)

# What the API lets in, and what it does not but a database may have.
URLS = [
    "http://plain/v1",
    "http://both/$(project_id)s/%(tenant_id)s",
    "http://user/$(user_id)s",
    "http://percent/100%%",
    "http://odd/$$(user_id)s/%$(user_id)s",
]
ODD_URLS = [
    "http://unknown/$(moon)s",
    "http://compute/$(compute_host)s",
    "http://typeless/$(project_id)",
    "http://slash/$(project_id)/x",
    "http://number/$(project_id)d",
    "http://space/a%20b",
    "",
]


@pytest.fixture(scope="module")
def cloud(world):
    """Services and endpoints of all kinds, and a user with a role in what tokens are for."""
    return Cloud(world)


class Cloud:
    def __init__(self, world):
        self.world, self.call = world, world.keystone.call
        self.user, self.role = world.user(), world.make("roles")
        self.domain = world.make("domains")
        self.region = self.call("POST", "/regions", {"region": {"id": "Région 1"}})["region"]["id"]
        self.compute = self.service("compute", name="nova")
        self.volume = self.service("volume")
        self.empty = self.service("empty", name='quo"te Ω')
        self.off = self.service("off", name="off", enabled=False)
        self.endpoints = [self.endpoint(self.compute, url) for url in URLS]
        self.of_region = self.endpoint(self.volume, "http://v/$(tenant_id)s", region_id=self.region)
        self.endpoint(self.volume, "http://off", enabled=False)
        self.endpoint(self.off, "http://of-what-is-off")
        for url in ODD_URLS:
            endpoint = self.endpoint(self.volume, "http://odd", interface="admin")
            world.engine.execute("UPDATE endpoint SET url = %s WHERE id = %s", (url, endpoint))

    def service(self, kind, **fields):
        return self.call("POST", "/services", {"service": {"type": kind} | fields})["service"]["id"]

    def endpoint(self, service, url, **fields):
        fields = {"service_id": service, "interface": "public", "url": url} | fields
        return self.call("POST", "/endpoints", {"endpoint": fields})["endpoint"]["id"]

    def project(self):
        project = self.world.project()
        self.world.grant(self.role, self.user, project)
        return project["id"]

    def keystones(self, scope):
        """The catalogue of a token of this scope."""
        token = self.world.keystone.user_token(self.user["name"], scope=scope)
        return normal(self.world.keystone.validate(token)["catalog"])

    def ours(self, project=None):
        question = {"project": project} if project else {}
        status, _, answer = self.world.server.post("/v1/catalogs", question)
        assert status == 200, answer
        assert answer.get("project") == project
        return normal(filled(answer["catalog"], project, self.user["id"]))

    def compare(self, project):
        """The URLs that both agree on."""
        ours = self.ours(project)
        assert ours == self.keystones({"project": {"id": project}})
        return {endpoint["url"] for service in ours for endpoint in service["endpoints"]}


def filled(catalog, project, user):
    """What an edge makes of it, in a few lines: the core has tests of its own, word by word."""
    names = {"user_id": user} | ({"project_id": project, "tenant_id": project} if project else {})
    services = []
    for service in catalog["services"]:
        endpoints = []
        for endpoint in service["endpoints"]:
            try:
                url = endpoint["url"].replace("$(", "%(") % names
            except (KeyError, TypeError, ValueError):
                continue
            if url:
                region = endpoint.get("region")
                endpoints.append(endpoint | {"url": url, "region": region, "region_id": region})
        if endpoints or not catalog.get("is_filtered"):
            services.append(service | {"endpoints": endpoints})
    return services


def normal(catalog):
    """In the order of ids: Keystone asks its database for none."""
    for service in catalog:
        service["endpoints"].sort(key=lambda endpoint: endpoint["id"])
    return sorted(catalog, key=lambda service: service["id"])


def test_a_project_sees_all_endpoints_that_are_enabled(cloud):
    project = cloud.project()
    urls = cloud.compare(project)
    user = cloud.user["id"]
    assert {
        f"http://both/{project}/{project}",
        f"http://user/{user}",
        "http://percent/100%",
        f"http://odd/${user}/%(user_id)s",
        f"http://v/{project}",
    } <= urls
    assert not {"http://off", "http://of-what-is-off"} & urls


def test_a_project_sees_what_was_chosen_for_it(cloud):
    project, other = cloud.project(), cloud.project()
    for count, endpoint in enumerate(cloud.endpoints[:2], 1):
        path = f"/OS-EP-FILTER/projects/{project}/endpoints/{endpoint}"
        cloud.call("PUT", path)
        assert len(cloud.compare(project)) == count
    assert len(cloud.compare(other)) > 2
    for filters, count in (
        ({"region_id": cloud.region}, 3),
        ({"service_id": cloud.compute, "interface": "public"}, len(URLS)),
        ({"service_id": cloud.off}, 2),
    ):
        group = {"name": uuid.uuid4().hex, "filters": filters}
        path = "/OS-EP-FILTER/endpoint_groups"
        made = cloud.call("POST", path, {"endpoint_group": group})["endpoint_group"]["id"]
        path = f"{path}/{made}/projects/{project}"
        cloud.call("PUT", path)
        assert len(cloud.compare(project)) == count
        cloud.call("DELETE", path)
    for endpoint in cloud.endpoints[:2]:
        cloud.call("DELETE", f"/OS-EP-FILTER/projects/{project}/endpoints/{endpoint}")
    assert len(cloud.compare(project)) > 2


def test_a_domain_and_the_system_see_what_wants_no_project(cloud):
    cloud.world.grant(cloud.role, cloud.user, cloud.domain)
    cloud.call("PUT", f"/system/users/{cloud.user['id']}/roles/{cloud.role['id']}")
    ours = cloud.ours()
    for scope in ({"domain": {"id": cloud.domain["id"]}}, {"system": {"all": True}}):
        assert cloud.keystones(scope) == ours
    urls = {endpoint["url"] for service in ours for endpoint in service["endpoints"]}
    assert "http://plain/v1" in urls
    assert not any("both" in url for url in urls)


def test_changes_are_told(cloud):
    project = cloud.project()
    path = f"/OS-EP-FILTER/projects/{project}/endpoints/{cloud.endpoints[0]}"
    service = cloud.service("moon", name="before")
    renamed = {"service": {"name": "after"}}
    for change in (
        ("PUT", path),
        ("DELETE", path),
        ("PATCH", f"/services/{service}", renamed),
        ("DELETE", f"/services/{service}"),
    ):
        # What was changed before has been told when a pass is over that began after it.
        feed, now = Feed(cloud.world.server), time.time()
        wait_until(lambda feed=feed, now=now: feed.checked() > now, "a pass")
        feed.changes.clear()
        cloud.call(*change)
        feed.tells("catalog")
