"""S3 clients as people use them. Here are the libraries; programs are in s3_programs.py.

Each puts, gets, lists and deletes its own way, and raises `Refused` with what it understood of a
refusal. Every one computes its signatures itself.
"""

import abc
import contextlib
import dataclasses
import io
import pathlib

import boto3
import boto3.s3.transfer
import botocore.config
import botocore.exceptions
import minio
import minio.error
import urllib3

REGION = "us-east-1"
# More than any client sends in one piece when it may choose, and not a multiple of anything.
LARGE = (16 << 20) + 12345


class Refused(Exception):
    """A refusal as a client understood it; the argument is the code of S3's error document."""

    @property
    def code(self):
        return self.args[0]


@dataclasses.dataclass
class Account:
    """An access key, its secret, and perhaps the token of a session."""

    access: str
    secret: str
    token: str | None = None

    def with_secret(self, secret):
        return dataclasses.replace(self, secret=secret)


class Client(abc.ABC):
    """A client of one store, as one account. Keys and prefixes are text, contents bytes.

    What is listed has no slash behind the prefix.
    """

    def __init__(self, port, account, directory, **options):
        self.endpoint = f"http://127.0.0.1:{port}"
        self.port, self.account, self.directory = port, account, pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.open(**options)

    def open(self):
        """What is done once."""

    def close(self):
        """Ends what `open` began."""

    @abc.abstractmethod
    def put(self, bucket, key, data): ...

    @abc.abstractmethod
    def get(self, bucket, key): ...

    @abc.abstractmethod
    def keys(self, bucket, prefix): ...

    @abc.abstractmethod
    def delete(self, bucket, key): ...


class Boto3(Client):
    """AWS's SDK for Python; from 8 MiB on it uploads in parts, eight at a time."""

    def open(self, **options):
        self.s3 = boto3_client(self.endpoint, self.account, **options)

    def close(self):
        self.s3.close()

    def put(self, bucket, key, data):
        with _boto3_refusals():
            self.s3.upload_fileobj(io.BytesIO(data), bucket, key)

    def get(self, bucket, key):
        with _boto3_refusals(), self.s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
            return body.read()

    def keys(self, bucket, prefix):
        with _boto3_refusals():
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def delete(self, bucket, key):
        with _boto3_refusals():
            self.s3.delete_object(Bucket=bucket, Key=key)


class Minio(Client):
    """MinIO's SDK for Python; over plain HTTP it signs the hash of each body, over TLS none of it."""

    def open(self):
        # One retry would hide nothing, but waits.
        self.pool = urllib3.PoolManager(retries=False, timeout=30)
        self.s3 = minio.Minio(
            endpoint=f"127.0.0.1:{self.port}",
            access_key=self.account.access,
            secret_key=self.account.secret,
            session_token=self.account.token,
            region=REGION,
            secure=False,
            http_client=self.pool,
        )

    def close(self):
        self.pool.clear()

    def put(self, bucket, key, data):
        with _minio_refusals():
            self.s3.put_object(bucket, key, io.BytesIO(data), len(data))

    def get(self, bucket, key):
        with _minio_refusals():
            response = self.s3.get_object(bucket, key)
            try:
                return response.read()
            finally:
                response.close()

    def keys(self, bucket, prefix):
        with _minio_refusals():
            # Not recursive: that is an empty delimiter, which s3s-fs takes for one everywhere.
            found = self.s3.list_objects(bucket, prefix=prefix)
            return [entry.object_name for entry in found]

    def delete(self, bucket, key):
        with _minio_refusals():
            self.s3.remove_object(bucket, key)


def boto3_client(endpoint, account, *, style="path", region=REGION, verify=None, **options):
    """A client of boto3 that does not try anything twice."""
    config = botocore.config.Config(
        s3={"addressing_style": style},
        # Else its presigned URLs have the form of version 2.
        signature_version="s3v4",
        retries={"total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=60,
        **options,
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=account.access,
        aws_secret_access_key=account.secret,
        aws_session_token=account.token,
        config=config,
        verify=verify,
    )


@contextlib.contextmanager
def _boto3_refusals():
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise Refused(error.response["Error"]["Code"]) from error


@contextlib.contextmanager
def _minio_refusals():
    try:
        yield
    except minio.error.S3Error as error:
        raise Refused(error.code) from error
