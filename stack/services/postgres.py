"""PostgreSQL: the registry, the alerts and the reports. Runs without root's powers even where root starts it."""

import shutil
import socket
import subprocess
from pathlib import Path

import pg8000.native  # type: ignore[import-untyped]

from sensorlake import connections
from sensorlake.errors import StackError
from stack import privileges, servers
from stack.layout import Stack
from stack.program import STORE_NICENESS, Program
from stack.scram import verifier
from stack.security import certificates, logins
from stack.service import make_private

_ADMIN = "postgres"


class Postgres:
    name = "postgres"

    def address(self, stack: Stack) -> str:
        return f"127.0.0.1:{stack.ports['postgres']}"

    def prepare(self, stack: Stack) -> Program:
        folder = make_private(stack.data_of(self.name))
        data = folder / "data"
        found = servers.find_postgres(data_version=servers.postgres_data_version(data))
        prefix = privileges.without_root(found / "postgres", folder)
        if not (data / "PG_VERSION").is_file():
            _initialise(stack, [*prefix, str(found / "initdb")], folder)
        command = [*prefix, str(found / "postgres"), "-D", str(data), "-p", str(stack.ports["postgres"])]
        # No Unix socket: its path may be too long, and TCP on 127.0.0.1 with a password serves every client.
        for option in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "log_min_messages=warning"):
            command += ["-c", option]
        if stack.settings.secure:
            for option in _tls(stack, folder):
                command += ["-c", option]
        return Program(self.name, command, folder, stop_signal="INT", niceness=STORE_NICENESS)

    def is_ready(self, stack: Stack) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", stack.ports["postgres"]), timeout=1):
                pass
            _connect(stack, _ADMIN, stack.credentials.postgres_admin_password, "postgres").close()
        except pg8000.native.DatabaseError as error:
            # It asked for a password and did not like ours: it is up. `after_start` says what to do.
            return _code(error) == "28P01"
        except (OSError, pg8000.native.InterfaceError):
            return False
        return True

    def after_start(self, stack: Stack) -> None:
        settings, password = stack.settings, stack.credentials.postgres_password
        role, database = settings.postgres_user, settings.postgres_database
        try:
            connection = _connect(stack, _ADMIN, stack.credentials.postgres_admin_password, "postgres")
            try:
                if not connection.run("select 1 from pg_roles where rolname = :role", role=role):
                    # The password goes over as its SCRAM verifier, so that no server log can ever show it.
                    connection.run(
                        f"create role {pg8000.native.identifier(role)} login password "
                        f"{pg8000.native.literal(verifier(password))}"
                    )
                if not connection.run("select 1 from pg_database where datname = :name", name=database):
                    connection.run(
                        f"create database {pg8000.native.identifier(database)} owner {pg8000.native.identifier(role)}"
                    )
                if settings.secure:
                    _make_roles(stack, connection)
            finally:
                connection.close()
            _connect(stack, role, password, database).close()
        except pg8000.native.DatabaseError as error:
            if _code(error) != "28P01":
                raise
            raise StackError(
                f"postgres does not take the passwords of {settings.credentials_file} and servers.env: its data was "
                f"made with others. Bring those files back, or delete {stack.data_of(self.name)} (and what it holds) "
                "to begin anew."
            ) from error


def _tls(stack: Stack, folder: Path) -> list[str]:
    """Options by which it speaks TLS, and lets nobody in without."""
    certificate = certificates.of(stack.layout.root, "postgres")
    # Copied into its own folder: where it runs as another user, it cannot enter the one that holds the authority's key.
    public, private = folder / "server.crt", folder / "server.key"
    public.write_bytes(certificate.public.read_bytes())
    private.unlink(missing_ok=True)
    private.touch(mode=0o600)
    private.write_bytes(certificate.private.read_bytes())
    rules = folder / "pg_hba.conf"
    rules.write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
    for path in (public, private, rules):
        privileges.hand_over(path)
    files = [f"ssl_cert_file={public}", f"ssl_key_file={private}", f"hba_file={rules}"]
    return ["ssl=on", "ssl_min_protocol_version=TLSv1.2", "password_encryption=scram-sha-256", *files]


def _make_roles(stack: Stack, connection: pg8000.native.Connection) -> None:
    """A role for each part of sensorlake; what it may do is said where the tables are made (lakehouse/registry)."""
    database = pg8000.native.identifier(stack.settings.postgres_database)
    owner = pg8000.native.identifier(stack.settings.postgres_user)
    connection.run(f"revoke all on database {database} from public")
    for service in logins.using("postgres"):
        login = logins.read(stack.settings, service)
        role = pg8000.native.identifier(login["postgres_user"])
        if not connection.run("select 1 from pg_roles where rolname = :role", role=login["postgres_user"]):
            connection.run(f"create role {role} login")
        # Anew each time: the password of the file is the one in force.
        connection.run(f"alter role {role} password {pg8000.native.literal(verifier(login['postgres_password']))}")
        connection.run(f"grant connect, temporary on database {database} to {role}")
        connection.run(f"grant {role} to {owner}")


def _initialise(stack: Stack, initdb: list[str], folder: Path) -> None:
    """Make the data folder aside and rename it when complete, so that a half-made one is never started."""
    new, secret = folder / "new", folder / "admin-password"
    shutil.rmtree(new, ignore_errors=True)
    secret.unlink(missing_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(stack.credentials.postgres_admin_password + "\n", encoding="utf-8")
    privileges.hand_over(secret)
    try:
        done = subprocess.run(
            [
                *initdb,
                *("-D", str(new), "-U", _ADMIN, f"--pwfile={secret}", "--auth=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
    finally:
        secret.unlink(missing_ok=True)
    if done.returncode:
        shutil.rmtree(new, ignore_errors=True)
        raise StackError(f"postgres could not make its data folder:\n{(done.stdout + done.stderr).strip()[-2000:]}")
    new.rename(folder / "data")


def _connect(stack: Stack, user: str, password: str, database: str) -> pg8000.native.Connection:
    opened = socket.create_connection(("127.0.0.1", stack.ports["postgres"]), timeout=5)
    try:
        return pg8000.native.Connection(
            user,
            password=password,
            database=database,
            sock=opened,
            host="127.0.0.1",
            ssl_context=connections.postgres_tls(stack.settings),
        )
    except BaseException:
        # The library leaves it open when a server that is just starting refuses.
        opened.close()
        raise


def _code(error: pg8000.native.DatabaseError) -> str:
    fields = error.args[0] if error.args else {}
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""
