"""S3 stores: what stands behind the filter in a real cloud, each with a directory of its own."""

import pathlib
import re
import signal
import urllib.error
import urllib.request

from parts.ports import held
from parts.process import Process
from parts.programs import program

# Stores answer to BUCKET.DOMAIN too (virtual-hosted style).
DOMAIN = "s3.example"
BUCKET = "bucket"


class Store(Process):
    """A store that believes everyone, or, with an access key and its secret, checks signatures."""

    def __init__(self, name, directory, credential=None):
        super().__init__(name, directory)
        self.credential = credential
        try:
            self.port = self.start()
        except BaseException:
            self.stop()
            raise

    def stop(self, signal_number=signal.SIGKILL):
        """Ends it at once: nobody wants its data, and SeaweedFS takes 16 seconds to say goodbye."""
        super().stop(signal_number)

    def create_bucket(self):
        """The bucket of the tests, made without a proxy."""
        status, answer = self.request("PUT", f"/{BUCKET}")
        assert status == 200, answer

    def request(self, method, path, body=None):
        """The status and body of a request without a signature."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


class S3sFs(Store):
    """s3s-fs: the reference service of s3s, an implementation in Rust, on a directory."""

    def __init__(self, directory, credential=None):
        super().__init__("s3s-fs", directory, credential)

    def start(self):
        root = self.directory / "objects"
        root.mkdir()
        options = ["--host", "127.0.0.1", "--port", 0, "--domain", DOMAIN]
        if self.credential:
            access, secret = self.credential
            options += ["--access-key", access, "--secret-key", secret]
        self.spawn([program("s3s-fs"), *options, root], RUST_LOG="info", NO_COLOR="1")
        listening = r"running at http://127\.0\.0\.1:(\d+)"
        return int(self.wait_until_ready(lambda: re.search(listening, self.log()), "to listen")[1])


class SeaweedFs(Store):
    """SeaweedFS: master, volume, filer and S3 gateway in one process."""

    # Each needs two ports, and none can be told to take any that is free.
    _PARTS = ("master", "volume", "filer", "s3")

    def __init__(self, directory):
        super().__init__("seaweedfs", directory)

    def start(self):
        with held(2 * len(self._PARTS)) as free:
            return self._start_on(free)

    def _start_on(self, free):
        ports = dict(zip(self._PARTS, free, strict=False))
        grpc = dict(zip(self._PARTS, free[len(ports) :], strict=True))
        self.grpc_ports = set(map(str, grpc.values()))
        options = [
            "-dir=.",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            f"-s3.domainName={DOMAIN}",
        ]
        for name, port in ports.items():
            options += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc[name]}"]
        options += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64"]
        options += ["-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"]
        # Volumes are made one by one instead of seven at a time, which would be five seconds.
        self.spawn([program("weed"), "server", *options], WEED_MASTER_VOLUME_GROWTH_COPY_1="1")
        self.port = ports["s3"]
        self.wait_until_ready(self._is_ready, "to answer")
        return self.port

    def stop(self, *arguments):
        super().stop(*arguments)
        # It puts these there whatever it is told.
        for path in pathlib.Path("/tmp").glob("seaweedfs-*-grpc-*.sock"):
            if path.stem.rsplit("-", 1)[1] in self.grpc_ports:
                path.unlink(missing_ok=True)

    def _is_ready(self):
        try:
            return self.request("GET", "/")[0] == 200
        except OSError:
            return False
