"""A service that answers with what it was told, or with a status that a query names: bare, and behind keystonemiddleware in each of the
configurations of a file in JSON, by the host that a request is for."""

import json
import os
import pathlib
import urllib.parse

from keystonemiddleware.auth_token import AuthProtocol


def service(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))
    if status := query.get("status"):
        return answer(start_response, status, query.get("challenge"))
    return echo(environ, start_response)


def answer(start_response, status, challenge):
    """An answer without a body, and perhaps with a challenge of the service's own."""
    headers = [("Content-Length", "0")]
    if challenge:
        headers.append(("WWW-Authenticate", challenge))
    start_response(f"{status} Status", headers)
    return []


def echo(environ, start_response):
    # The middleware sets what there is not to None.
    told = {
        name: value
        for name, value in environ.items()
        if name.startswith("HTTP_") and value is not None
    }
    body = json.dumps(told).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


_services = {"bare": service}
for _name, _options in json.loads(pathlib.Path(os.environ["MIDDLEWARE"]).read_text()).items():
    _services[_name] = AuthProtocol(service, _options)


def application(environ, start_response):
    return _services[environ["HTTP_HOST"]](environ, start_response)
