"""A service that answers with what it was told: bare, and behind keystonemiddleware in each of the
configurations of a file in JSON, by the host that a request is for."""

import json
import os
import pathlib

from keystonemiddleware.auth_token import AuthProtocol


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


_services = {"bare": echo}
for _name, _options in json.loads(pathlib.Path(os.environ["MIDDLEWARE"]).read_text()).items():
    _services[_name] = AuthProtocol(echo, _options)


def application(environ, start_response):
    return _services[environ["HTTP_HOST"]](environ, start_response)
