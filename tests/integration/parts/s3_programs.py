"""S3 clients that are programs of their own."""

import json
import os
import pathlib
import re
import subprocess
import urllib.parse

from parts.programs import node_modules, program
from parts.s3_clients import REGION, Client, Refused


class Command:
    """A program that is run for each operation, in a directory of its own."""

    # Where the code of S3's error stands in what the program prints.
    code = r""

    def run(self, *words, data=None, **environment):
        """What the program prints."""
        clean = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "RCLONE_"))}
        home = {"HOME": str(self.directory)}
        result = subprocess.run(
            [str(word) for word in words],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env=clean | home | environment,
            timeout=60,
            check=False,
        )
        if self.is_refusal(result):
            text = (result.stderr + result.stdout).decode(errors="replace")
            match = re.search(self.code, text)
            assert match, f"{words[0]} ended with {result.returncode}:\n{text[-4000:]}"
            raise Refused(match[1])
        return result.stdout

    def is_refusal(self, result):
        return result.returncode != 0

    def file(self, data=None):
        """A file, with these contents or to be written to."""
        path = self.directory / "contents"
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
        return path


class Program(Command, Client):
    """A client that is such a program."""


class AwsCli(Program):
    """AWS's command line; from 8 MiB on it uploads in parts."""

    code = r"An error occurred \((\w+)\) when calling"

    def open(self):
        environment = {
            "AWS_ACCESS_KEY_ID": self.account.access,
            "AWS_SECRET_ACCESS_KEY": self.account.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        token = {"AWS_SESSION_TOKEN": self.account.token} if self.account.token else {}
        self.environment = environment | token

    def aws(self, *words):
        return self.run(program("aws"), "--endpoint-url", self.endpoint, *words, **self.environment)

    def put(self, bucket, key, data):
        self.aws("s3", "cp", "--only-show-errors", self.file(data), f"s3://{bucket}/{key}")

    def get(self, bucket, key):
        path = self.file()
        self.aws("s3api", "get-object", "--bucket", bucket, "--key", key, path)
        return path.read_bytes()

    def keys(self, bucket, prefix):
        words = ("--bucket", bucket, "--prefix", prefix, "--output", "json")
        listing = json.loads(self.aws("s3api", "list-objects-v2", *words) or "{}")
        return [entry["Key"] for entry in listing.get("Contents", [])]

    def delete(self, bucket, key):
        self.aws("s3", "rm", "--only-show-errors", f"s3://{bucket}/{key}")


class S3cmd(Program):
    """s3cmd; it signs with region US unless told, and uploads in parts from 15 MiB on."""

    code = r"S3 error: \d+ \((\w+)\)"

    def open(self):
        address = f"127.0.0.1:{self.port}"
        lines = {
            "access_key": self.account.access,
            "secret_key": self.account.secret,
            "access_token": self.account.token or "",
            "host_base": address,
            "host_bucket": address,
            "bucket_location": REGION,
            "use_https": False,
            "max_retries": 1,
        }
        self.configuration = self.directory / "s3cfg"
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        self.configuration.write_text("[default]\n" + text)

    def s3cmd(self, *words):
        options = ["--config", self.configuration, "--no-progress", "--region", REGION]
        return self.run(program("s3cmd"), *options, *words)

    def put(self, bucket, key, data):
        self.s3cmd("put", self.file(data), f"s3://{bucket}/{key}")

    def get(self, bucket, key):
        path = self.file()
        self.s3cmd("get", f"s3://{bucket}/{key}", path)
        return path.read_bytes()

    def keys(self, bucket, prefix):
        lines = self.s3cmd("ls", "--recursive", f"s3://{bucket}/{prefix}").decode().splitlines()
        return [line.partition(f"s3://{bucket}/")[2] for line in lines]

    def delete(self, bucket, key):
        self.s3cmd("del", f"s3://{bucket}/{key}")


class Rclone(Program):
    """rclone, which is built on AWS's SDK for Go."""

    code = r"api error (\w+)"

    def open(self):
        options = {
            "type": "s3",
            "provider": "Other",
            "access_key_id": self.account.access,
            "secret_access_key": self.account.secret,
            "session_token": self.account.token or "",
            "region": REGION,
            "endpoint": self.endpoint,
            "force_path_style": "true",
            "no_check_bucket": "true",
            # Parts already from 5 MiB on, which is the least there is.
            "upload_cutoff": "5Mi",
        }
        self.options = {f"RCLONE_CONFIG_STORE_{n.upper()}": v for n, v in options.items()}

    def rclone(self, *words, data=None):
        options = ["--retries", "1", "--low-level-retries", "1", "--config", os.devnull]
        return self.run(program("rclone"), *options, *words, data=data, **self.options)

    def put(self, bucket, key, data):
        self.rclone("rcat", "--size", len(data), f"store:{bucket}/{key}", data=data)

    def get(self, bucket, key):
        return self.rclone("cat", f"store:{bucket}/{key}")

    def keys(self, bucket, prefix):
        listing = self.rclone("lsf", "--recursive", "--files-only", f"store:{bucket}/{prefix}")
        return [prefix + line for line in listing.decode().splitlines()]

    def delete(self, bucket, key):
        self.rclone("deletefile", f"store:{bucket}/{key}")


class Restic(Command):
    """restic, which is built on MinIO's SDK for Go: over plain HTTP that signs every chunk it sends.

    It keeps backups, and has no objects of its user's.
    """

    # Of an error it shows the message alone.
    code = r"(?!)"

    def __init__(self, port, account, directory):
        self.directory, self.store = directory, f"s3:http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ACCESS_KEY_ID": account.access,
            "AWS_SECRET_ACCESS_KEY": account.secret,
            "AWS_DEFAULT_REGION": REGION,
            "RESTIC_PASSWORD": "of-the-tests",
        }

    def restic(self, bucket, prefix, *words):
        options = ["--no-cache", "--quiet", "--repo", f"{self.store}/{bucket}/{prefix}"]
        return self.run(program("restic"), *options, *words, **self.environment)

    def back_up(self, bucket, prefix, data):
        """Makes a repository, with one backup of these contents."""
        self.restic(bucket, prefix, "init")
        self.restic(bucket, prefix, "backup", self.file(data))

    def restore(self, bucket, prefix):
        """The contents of the last backup."""
        return self.restic(bucket, prefix, "dump", "latest", self.directory / "contents")


class Curl(Program):
    """curl. Before version 8 it leaves out the hash of the body, without which there is no S3."""

    code = r"<Code>(\w+)</Code>"

    def curl(self, method, path, *words):
        url = self.endpoint + path
        options = ["--silent", "--show-error", "--fail-with-body", "--request", method]
        options += ["--aws-sigv4", f"aws:amz:{REGION}:s3"]
        options += ["--user", f"{self.account.access}:{self.account.secret}"]
        options += ["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        return self.run(program("curl"), *options, *words, url)

    def put(self, bucket, key, data):
        self.curl("PUT", _path(bucket, key), "--upload-file", self.file(data))

    def get(self, bucket, key):
        return self.curl("GET", _path(bucket, key))

    def keys(self, bucket, prefix):
        query = urllib.parse.urlencode({"list-type": 2, "prefix": prefix})
        listing = self.curl("GET", f"/{bucket}?{query}").decode()
        return re.findall(r"<Key>([^<]*)</Key>", listing)

    def delete(self, bucket, key):
        self.curl("DELETE", _path(bucket, key))


class JavaScript(Program):
    """AWS's SDK for JavaScript under Node: clients/s3.cjs."""

    code = r'"refused":"(\w+)"'

    def node(self, operation, *words):
        script = pathlib.Path(__file__).parents[1] / "clients/s3.cjs"
        environment = {
            "NODE_PATH": str(node_modules()),
            "NODE_NO_WARNINGS": "1",
            "AWS_ACCESS_KEY_ID": self.account.access,
            "AWS_SECRET_ACCESS_KEY": self.account.secret,
            "AWS_REGION": REGION,
        }
        token = {"AWS_SESSION_TOKEN": self.account.token} if self.account.token else {}
        return self.run("node", script, self.endpoint, operation, *words, **environment, **token)

    def put(self, bucket, key, data):
        self.node("put", bucket, key, self.file(data))

    def get(self, bucket, key):
        path = self.file()
        self.node("get", bucket, key, path)
        return path.read_bytes()

    def keys(self, bucket, prefix):
        return json.loads(self.node("list", bucket, prefix))

    def delete(self, bucket, key):
        self.node("delete", bucket, key)


def _path(bucket, key):
    return f"/{bucket}/" + urllib.parse.quote(key, safe="/")
