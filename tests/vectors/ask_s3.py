#!/usr/bin/env python3
"""Has botocore, AWS's SDK for Python, build a request for each operation of its model of S3.

    python tests/vectors/ask_s3.py           writes s3-operations-1.44.json
    python tests/vectors/ask_s3.py --check   fails if that would change it

Needs the packages of tests/requirements.txt. Nothing is sent anywhere.
"""

import pathlib
import urllib.parse

import botocore
import botocore.awsrequest
import botocore.config
import botocore.session
import vector_file

OUTPUT = pathlib.Path(__file__).with_name("s3-operations-1.44.json")
HOST = "s3.example"
BUCKET = "photos-2026"
KEYS = ["a.jpg", "2026/summer/a b+c.jpg", "ä/%20/~(1)!.txt", "folder/"]
# Members that botocore checks.
GIVEN = {
    "Bucket": BUCKET,
    "CopySource": {"Bucket": "from-here", "Key": "x/y.txt"},
    "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "e"}]},
    "RenameSource": f"/{BUCKET}/x",
}
# What AWS has two names for.
NEWER = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}
# Of a service of its own, s3-object-lambda.
ELSEWHERE = ["WriteGetObjectResponse"]
# Headers that name another object.
SOURCES = ("x-amz-copy-source", "x-amz-rename-source")


class Kept(Exception):
    """A request that is not sent."""


def client(style):
    session = botocore.session.Session()
    made = session.create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://{HOST}",
        config=botocore.config.Config(
            s3={"addressing_style": style, "disable_s3_express_session_auth": True},
            signature_version=botocore.UNSIGNED,
            inject_host_prefix=False,
            retries={"total_max_attempts": 1},
        ),
    )
    made.meta.events.register("before-send.s3", keep)
    return made


def keep(request, **_):
    raise Kept(request)


def value(shape, name, key):
    if name == "Key":
        return key
    if name in GIVEN:
        return GIVEN[name]
    match shape.type_name:
        case "structure":
            return structure(shape, key, only_required=True)
        case "list":
            return [value(shape.member, "", key)]
        case "map":
            return {"k": "v"}
        case "integer" | "long" | "float" | "double":
            return 2
        case "boolean":
            return True
        case "timestamp":
            return 1_600_000_000
        case "blob":
            return b"x"
        case _:
            shortest = shape.metadata.get("min", 1)
            return shape.enum[0] if getattr(shape, "enum", None) else "x" * shortest


def structure(shape, key, only_required):
    # One alone of a union can be there, and must be.
    if getattr(shape, "is_tagged_union", False):
        names = list(shape.members)[:1]
    else:
        names = shape.required_members if only_required else shape.members
    return {name: value(shape.members[name], name, key) for name in names}


def request(made, name, key, only_required):
    model = made.meta.service_model.operation_model(name)
    parameters = structure(model.input_shape, key, only_required) if model.input_shape else {}
    methods = {name: method for method, name in made.meta.method_to_api_mapping.items()}
    try:
        getattr(made, methods[name])(**parameters)
    except Kept as kept:
        (one,) = kept.args
    url = urllib.parse.urlsplit(one.url)
    path = one.url.removeprefix(f"{url.scheme}://{url.netloc}")
    headers = [[":method", one.method], [":authority", url.netloc], [":path", path]]
    for name, text in sorted(one.headers.items()):
        if name.lower().startswith(SOURCES):
            headers.append([name.lower(), text.decode() if isinstance(text, bytes) else text])
    return headers, parameters


def requests():
    for style in ("path", "virtual"):
        made = client(style)
        names = set(made.meta.service_model.operation_names) - set(ELSEWHERE)
        for number, name in enumerate(sorted(names)):
            key = KEYS[number % len(KEYS)]
            headers, parameters = request(made, name, key, only_required=style == "virtual")
            of_object = {"key": key} if "Key" in parameters else {}
            yield {
                "operation": NEWER.get(name, name),
                "bucket": parameters.get("Bucket"),
                **of_object,
                "headers": headers,
            }


def make():
    return {"host": HOST, "requests": list(requests())}


if __name__ == "__main__":
    vector_file.run(__doc__, OUTPUT, make, "botocore 1")
