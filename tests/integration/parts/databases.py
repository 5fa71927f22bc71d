"""Databases of Debian's packages, each on a port of its own and with its data in a directory of its own.

`scripts/test integration` installs mariadb-server and postgresql. Neither is started by the system
for us: a server that runs already is left alone.
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import sqlite3
import subprocess
import tempfile

import psycopg2
import pymysql

from parts.ports import bound, port_of
from parts.process import Process

PASSWORD = "p@ssword/of the tests"
QUOTED_PASSWORD = "p%40ssword%2Fof%20the%20tests"


class Sqlite:
    """No server at all: files in a directory."""

    name = "sqlite"

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def keystone_url(self, database):
        """For SQLAlchemy, which Keystone has."""
        return f"sqlite:///{self.directory}/{database}.db"

    def url(self, database):
        """For those who write."""
        return f"sqlite:{self.directory}/{database}.db"

    # SQLite has no accounts.
    read_only_url = url

    def execute(self, statement, values=()):
        """A statement on Keystone's database, its placeholders written %s."""
        with contextlib.closing(sqlite3.connect(f"{self.directory}/keystone.db")) as connection:
            connection.execute(statement.replace("%s", "?"), values)
            connection.commit()


class Server(Process):
    """A database server with two accounts: one that owns its databases, one that only reads."""

    databases = ("keystone", "store")

    def __init__(self, directory):
        super().__init__(self.name, directory)
        # Not in pytest's directory: nobody but its owner gets through to that.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"voussoir-{self.name}-"))
        # Held: it takes seconds until the server listens, and some tests stop it for a while.
        self.placeholder = bound()
        self.port = port_of(self.placeholder)
        self.as_user = []
        if os.getuid() == 0:
            account = pwd.getpwnam(self.system_user)
            os.chown(self.home, account.pw_uid, account.pw_gid)
            ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
            self.as_user = ["setpriv", *ids]
        try:
            self._initialise()
            self.start()
            self._create_databases()
        except BaseException:
            self.stop()
            self.placeholder.close()
            raise

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self.placeholder.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self):
        """Starts the server, for the first time or again with the same data."""
        self.spawn([*self.as_user, *self._command()])
        self.wait_until_ready(self._is_ready, "to let us in")

    def execute(self, statement, values=()):
        """A statement on Keystone's database, its placeholders written %s."""
        with contextlib.closing(self._connect("keystone")) as connection:
            connection.cursor().execute(statement, values)

    def keystone_url(self, database):
        return f"{self.sqlalchemy}://owner:{QUOTED_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def url(self, database):
        return f"{self.scheme}://owner:{QUOTED_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def read_only_url(self, database):
        return f"{self.scheme}://reader:{QUOTED_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def _run(self, *command):
        result = subprocess.run(
            [*self.as_user, *command], cwd=self.home, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{command[0]}: {result.stdout}{result.stderr}"

    def _is_ready(self):
        asked = subprocess.run(self._question(), capture_output=True, check=False)
        return asked.returncode == 0


class MariaDb(Server):
    name = "mariadb"
    system_user = "mysql"
    scheme = "mysql"
    sqlalchemy = "mysql+pymysql"

    def _initialise(self):
        self._run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={self.home}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    def _command(self):
        return [
            _program("mariadbd", "/usr/sbin"),
            "--no-defaults",
            f"--datadir={self.home}/data",
            f"--socket={self.home}/socket",
            f"--pid-file={self.home}/pid",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--innodb-flush-log-at-trx-commit=0",
        ]

    def _question(self):
        socket = f"--socket={self.home}/socket"
        return ["mariadb-admin", "--no-defaults", socket, "--user=root", "ping"]

    def _connect(self, database=None):
        socket = f"{self.home}/socket"
        return pymysql.connect(
            unix_socket=socket, user="root", database=database, autocommit=True
        )

    def _create_databases(self):
        with self._connect() as connection, connection.cursor() as cursor:
            for account in ("owner", "reader"):
                cursor.execute(f"CREATE USER {account}@'127.0.0.1' IDENTIFIED BY %s", [PASSWORD])
            for database in self.databases:
                cursor.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb3")
                cursor.execute(f"GRANT ALL ON {database}.* TO owner@'127.0.0.1'")
                cursor.execute(f"GRANT SELECT ON {database}.* TO reader@'127.0.0.1'")


class Postgresql(Server):
    name = "postgresql"
    system_user = "postgres"
    scheme = "postgres"
    sqlalchemy = "postgresql+psycopg2"

    def _initialise(self):
        self._run(
            _postgresql("initdb"),
            f"--pgdata={self.home}/data",
            "--username=root",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )

    def _command(self):
        return [
            _postgresql("postgres"),
            "-D",
            f"{self.home}/data",
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"port={self.port}",
            "-c",
            f"unix_socket_directories={self.home}",
            "-c",
            "fsync=off",
        ]

    def _question(self):
        return [_postgresql("pg_isready"), f"--host={self.home}", f"--port={self.port}"]

    def _connect(self, database="postgres"):
        connection = psycopg2.connect(
            host=str(self.home), port=self.port, user="root", dbname=database
        )
        connection.autocommit = True
        return connection

    def _create_databases(self):
        administrator = self._connect()
        with administrator.cursor() as cursor:
            for account in ("owner", "reader"):
                cursor.execute(f"CREATE USER {account} PASSWORD %s", [PASSWORD])
            for database in self.databases:
                cursor.execute(f"CREATE DATABASE {database} OWNER owner")
        administrator.close()
        for database in self.databases:
            connection = self._connect(database)
            with connection.cursor() as cursor:
                cursor.execute("GRANT ALL ON SCHEMA public TO owner")
                cursor.execute(
                    "ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT SELECT ON TABLES TO reader"
                )
            connection.close()


@contextlib.contextmanager
def unavailable(engine):
    """Keystone's database answers nobody."""
    if engine.name == "sqlite":
        # It has no server to be stopped; its file can be in the hands of a writer.
        path = engine.directory / "keystone.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            yield
            writer.execute("ROLLBACK")
    else:
        engine.stop()
        yield
        engine.start()


def _postgresql(program):
    """Of the newest PostgreSQL that is installed; Debian keeps its programs off PATH."""
    installed = pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    found = sorted(installed, key=lambda path: int(path.parts[4]))
    return found[-1] if found else _program(program)


def _program(name, directory=None):
    path = os.pathsep.join(filter(None, [os.environ["PATH"], directory]))
    program = shutil.which(name, path=path)
    assert program, f"{name} is not installed: scripts/test integration does that"
    return program


ENGINES = {engine.name: engine for engine in (Sqlite, MariaDb, Postgresql)}
