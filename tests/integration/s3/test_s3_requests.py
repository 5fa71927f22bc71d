"""What a client of S3 can do besides: odd keys, presigned URLs, checksums, parts, every address."""

import contextlib
import io
import os
import subprocess
import urllib.parse

import pytest

from parts import http1
from parts.deadline import wait_until
from parts.programs import program
from parts.s3_clients import REGION, boto3_client
from parts.s3_store import BUCKET, DOMAIN

# As they go over the wire, each must be the path that was signed and the key that is stored.
ODD_KEYS = {
    "unicode": "ünïcödé/日本語/🦀.txt",
    "combining": "e\u0301 is not \u00e9",
    "spaces": " leading, in  between, trailing ",
    "plus and percent": "1+1=2 100% %2B %2b %25",
    "delimiters": "a&b=c;d,e:f@g$h!i'j(k)l*m~n-o_p.q",
    "brackets": '<a href="x">[b]{c}|d^e`f',
    "query and fragment": "what?is#this",
    "slashes": "//two//and/a/trailing/",
    "dots": "a/./b/../c/...",
    "backslash": "a\\b\\..\\c",
    "encoded slash": "a%2Fb%2fc",
    "long": "k" * 200 + "/" + "ö" * 100,
}
# What each store keeps as it is: others are no names of files, or of too long ones.
KEPT = {
    "seaweedfs": [name for name in ODD_KEYS if name not in ("slashes", "dots", "backslash")],
    "through": [name for name in ODD_KEYS if name not in ("slashes", "dots", "long")],
}
CHECKSUMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


@pytest.fixture
def s3(front, alice):
    """Makes a client of boto3 for a listener."""
    with contextlib.ExitStack() as clients:

        def make(way, endpoint=None, **options):
            endpoint = endpoint or f"http://127.0.0.1:{front.ports[way]}"
            client = boto3_client(endpoint, alice.account, **options)
            clients.callback(client.close)
            return client

        yield make


@pytest.fixture
def s3_tls(front, alice, authority):
    """The same over TLS, where boto3 and AWS's command line send checksums as trailers."""
    with contextlib.ExitStack() as clients:

        def make(way):
            endpoint = f"https://127.0.0.1:{front.ports[way]}"
            client = boto3_client(endpoint, alice.account, verify=str(authority.path))
            clients.callback(client.close)
            return client

        yield make


def content(response):
    with response["Body"] as body:
        return body.read()


@pytest.mark.parametrize("name", ODD_KEYS)
@pytest.mark.parametrize("way", ["echo", "echo_through"])
def test_an_odd_key_is_forwarded_as_it_was_signed(s3, upstream, way, name, path):
    key = f"{path[1:]}/{ODD_KEYS[name]}"
    url = f"/{BUCKET}/{urllib.parse.quote(key, safe='/~')}"
    # Not an upload: to one of those S3 answers nothing, and boto3 fails on an echo.
    content(s3(way).get_object(Bucket=BUCKET, Key=key))
    assert len(upstream.requests_to(url)) == 1


@pytest.mark.parametrize(("way", "name"), [(way, name) for way in KEPT for name in KEPT[way]])
def test_an_odd_key_is_that_of_the_object(s3, way, name, path):
    client, key = s3(way), f"{path[1:]}/{ODD_KEYS[name]}"
    client.put_object(Bucket=BUCKET, Key=key, Body=name.encode())
    assert content(client.get_object(Bucket=BUCKET, Key=key)) == name.encode()
    client.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=BUCKET, Key=key)


def test_an_odd_prefix_is_the_one_that_was_signed(s3, path):
    """In a query: encoded there, and decoded once."""
    client = s3("seaweedfs")
    wanted, other = f"{path[1:]}/a+b &c=d%20ö?/", f"{path[1:]}/a b &c=d ö?/"
    for prefix in (wanted, other):
        client.put_object(Bucket=BUCKET, Key=prefix + "object", Body=b"")
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=wanted, Delimiter="/")
    assert [entry["Key"] for entry in listed["Contents"]] == [wanted + "object"]


@pytest.mark.parametrize("way", ["s3s", "seaweedfs", "through"])
def test_a_bucket_may_be_the_host(s3, front, way, path):
    """Virtual-hosted style."""
    client = s3(way, endpoint=f"http://{DOMAIN}", style="virtual")
    host, where = f"{BUCKET}.{DOMAIN}", {"Bucket": BUCKET, "Key": path[1:]}
    put = presigned(client, "put_object", where, host=host)
    answer = http1.get(front.ports[way], put, method="PUT", body=b"by host", host=host)
    assert answer.status == 200, answer
    assert content(s3(way).get_object(**where)) == b"by host"


@pytest.mark.parametrize("way", ["s3s", "s3s_early", "seaweedfs", "through"])
def test_a_presigned_url_needs_nothing_else(s3, front, way, path):
    client, key = s3(way), path[1:] + " +ö"
    where = {"Bucket": BUCKET, "Key": key}
    put = presigned(client, "put_object", where)
    host = f"127.0.0.1:{front.ports[way]}"
    answer = http1.get(front.ports[way], put, method="PUT", body=b"presigned", host=host)
    assert answer.status == 200, answer
    # The response's own parameters are signed too.
    get = presigned(client, "get_object", where | {"ResponseContentType": "text/x-odd; a=b"})
    answer = http1.get(front.ports[way], get, host=host)
    assert (answer.status, answer.body) == (200, b"presigned")
    assert answer.header("content-type") == "text/x-odd; a=b"


@pytest.mark.parametrize("way", ["s3s", "through"])
def test_a_presigned_url_is_for_what_was_signed(s3, front, way, path):
    """Each change of it is refused, and one that has expired as well."""
    client = s3(way)
    client.put_object(Bucket=BUCKET, Key=path[1:], Body=b"presigned")
    url = presigned(client, "get_object", {"Bucket": BUCKET, "Key": path[1:]})
    host = f"127.0.0.1:{front.ports[way]}"
    assert http1.get(front.ports[way], url, host=host).status == 200
    changed = {
        "another key": (url.replace("?", "x?", 1), {}),
        "another method": (url, {"method": "DELETE"}),
        "another parameter": (url + "&partNumber=1", {}),
        "a longer life": (url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"), {}),
        "another host": (url, {"host": "elsewhere"}),
    }
    for change, (other, options) in changed.items():
        answer = http1.get(front.ports[way], other, **({"host": host} | options))
        assert answer.status == 403, change
        assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body, change
    url = presigned(client, "get_object", {"Bucket": BUCKET, "Key": path[1:]}, seconds=1)
    refused = wait_until(
        lambda: (a := http1.get(front.ports[way], url, host=host)).status != 200 and a, "expiry"
    )
    assert (refused.status, b"<Code>AccessDenied</Code>" in refused.body) == (403, True)


@pytest.mark.parametrize("algorithm", CHECKSUMS)
@pytest.mark.parametrize("way", ["s3s", "seaweedfs", "through"])
def test_a_checksum_in_a_header_is_kept(s3, way, algorithm, path):
    form, trailer = put_with_checksum(s3(way), algorithm, path[1:], os.urandom(100_000))
    assert not form.startswith("STREAMING-")
    assert trailer is None


@pytest.mark.parametrize("algorithm", CHECKSUMS)
@pytest.mark.parametrize("way", ["s3s_tls", "through_tls"])
def test_a_checksum_in_a_trailer_is_taken(s3_tls, way, algorithm, path):
    """The body has the form aws-chunked, in chunks that are not signed."""
    form, trailer = put_with_checksum(s3_tls(way), algorithm, path[1:], os.urandom(3_000_000))
    assert form == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert trailer == f"x-amz-checksum-{algorithm.lower()}"


@pytest.mark.parametrize("way", ["s3s", "s3s_early", "seaweedfs", "through"])
def test_an_object_may_come_in_parts(s3, way, path):
    client, where = s3(way), {"Bucket": BUCKET, "Key": path[1:]}
    parts = [os.urandom(5 << 20), os.urandom(5 << 20), b"the end"]
    upload = client.create_multipart_upload(**where)["UploadId"]
    sent = []
    for number, part in enumerate(parts, 1):
        # Any order will do.
        tag = client.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)["ETag"]
        sent.append({"ETag": tag, "PartNumber": number})
    client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": sent})
    assert content(client.get_object(**where)) == b"".join(parts)
    assert content(client.get_object(**where, Range="bytes=5242870-5242889")) == (
        parts[0][-10:] + parts[1][:10]
    )
    assert client.head_object(**where)["ContentLength"] == sum(map(len, parts))


@pytest.mark.parametrize("way", ["s3s", "seaweedfs", "through"])
def test_objects_are_copied_and_deleted_by_the_dozen(s3, way, path):
    client, keys = s3(way), [f"{path[1:]}/{number}" for number in range(12)]
    client.put_object(Bucket=BUCKET, Key=keys[0], Body=b"original", Metadata={"of": "a  b"})
    for key in keys[1:]:
        client.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": keys[0]})
    assert content(client.get_object(Bucket=BUCKET, Key=keys[-1])) == b"original"
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    assert client.list_objects_v2(Bucket=BUCKET, Prefix=path[1:])["KeyCount"] == 0


@pytest.mark.parametrize("way", ["s3s", "seaweedfs", "through"])
def test_curl_signs_over_http2(front, alice, way, path, tmp_path):
    """One connection, prior knowledge: the host is `:authority` there."""
    (tmp_path / "data").write_bytes(data := os.urandom(300_000))
    url = f"http://127.0.0.1:{front.ports[way]}/{BUCKET}{path}"
    signing = ["--aws-sigv4", f"aws:amz:{REGION}:s3"]
    signing += ["--user", f"{alice.account.access}:{alice.account.secret}"]
    signing += ["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    command = [program("curl"), "--silent", "--fail-with-body", "--http2-prior-knowledge", *signing]
    put = [*command, "--upload-file", tmp_path / "data", url]
    assert subprocess.run(put, stdout=subprocess.PIPE, check=True, timeout=60).stdout == b""
    show = ["--write-out", "%{stderr}%{http_version}"]
    got = subprocess.run([*command, *show, url], capture_output=True, check=True, timeout=60)
    assert (got.stdout, got.stderr) == (data, b"2")


def presigned(client, operation, parameters, *, seconds=60, host=None):
    """The path and query of a URL."""
    url = client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    parts = urllib.parse.urlsplit(url)
    assert host in (None, parts.netloc), url
    return f"{parts.path}?{parts.query}"


def put_with_checksum(client, algorithm, key, data):
    """Uploads and downloads; returns what the upload said of its body, and of its trailer."""
    where, said = {"Bucket": BUCKET, "Key": key}, []

    def note(request, **_):
        names = ("X-Amz-Content-SHA256", "X-Amz-Trailer")
        values = [request.headers.get(name) for name in names]
        said.append([v.decode() if isinstance(v, bytes) else v for v in values])

    client.meta.events.register("before-send.s3.PutObject", note)
    client.put_object(**where, Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)
    assert content(client.get_object(**where)) == data
    (both,) = said
    return both
