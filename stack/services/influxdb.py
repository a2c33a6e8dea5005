"""InfluxDB 2: the recent metrics, quick to chart. Set up over its HTTP API with a generated token."""

import sys
from functools import partial

from sensorlake.errors import StackError
from stack import http_probe, servers
from stack.layout import Stack
from stack.program import STORE_NICENESS, Program
from stack.security import certificates, influxdb_tokens
from stack.service import make_private


class Influxdb:
    name = "influxdb"

    def address(self, stack: Stack) -> str:
        return f"{stack.scheme}://127.0.0.1:{stack.ports['influxdb']}"

    def prepare(self, stack: Stack) -> Program:
        folder = make_private(stack.data_of(self.name))
        command = [
            *(sys.executable, "-m", "stack.influxdb_start", str(folder / "engine")),
            str(servers.find_influxd()),
            f"--http-bind-address=127.0.0.1:{stack.ports['influxdb']}",
            f"--bolt-path={folder / 'influxd.bolt'}",
            f"--sqlite-path={folder / 'influxd.sqlite'}",
            f"--engine-path={folder / 'engine'}",
            "--reporting-disabled",
            "--log-level=warn",
        ]
        if stack.settings.secure:
            certificate = certificates.of(stack.layout.root, self.name)
            command += [f"--tls-cert={certificate.public}", f"--tls-key={certificate.private}"]
            command += ["--tls-min-version=1.2", "--tls-strict-ciphers"]
        # Without this it would take up a config file of some other influxd from its own usual places.
        environment = {"INFLUXD_CONFIG_PATH": str(folder), "INFLUX_CONFIGS_PATH": str(folder / "configs")}
        return Program(self.name, command, folder, environment, niceness=STORE_NICENESS)

    def is_ready(self, stack: Stack) -> bool:
        code, answer = http_probe.request(f"{self.address(stack)}/health", authority=stack.settings.tls_ca_file)
        return code == 200 and answer.get("status") == "pass"

    def after_start(self, stack: Stack) -> None:
        settings, url, token = stack.settings, self.address(stack), stack.credentials.influxdb_token
        ask = partial(http_probe.request, authority=settings.tls_ca_file)
        if ask(f"{url}/api/v2/setup")[1].get("allowed"):
            code, answer = ask(
                f"{url}/api/v2/setup",
                body={
                    "username": "sensorlake",
                    "password": stack.credentials.influxdb_password,
                    "org": settings.influxdb_org,
                    "bucket": settings.influxdb_bucket,
                    "token": token,
                },
            )
            if code != 201:
                raise StackError(f"influxdb could not be set up: {answer.get('message', code)}")
        code, answer = ask(f"{url}/api/v2/orgs?limit=100", token=token)
        if code == 401:
            raise StackError(
                f"influxdb does not take the token of {settings.credentials_file}: its data was made with another one. "
                f"Bring that file back, or delete {stack.data_of(self.name)} (and what it holds) to begin anew."
            )
        org = next((o["id"] for o in answer.get("orgs", []) if o["name"] == settings.influxdb_org), None)
        if org is None:
            raise StackError(
                f"influxdb has no organisation {settings.influxdb_org!r} (SENSORLAKE_INFLUXDB_ORG): it was set up with "
                "another name"
            )
        _, found = ask(f"{url}/api/v2/buckets?orgID={org}&limit=100", token=token)
        buckets = {bucket["name"]: bucket["id"] for bucket in found.get("buckets", [])}
        if settings.influxdb_bucket not in buckets:
            body = {"orgID": org, "name": settings.influxdb_bucket, "retentionRules": []}
            code, answer = ask(f"{url}/api/v2/buckets", body=body, token=token)
            if code != 201:
                raise StackError(f"influxdb's bucket could not be made: {answer.get('message', code)}")
            buckets[settings.influxdb_bucket] = answer["id"]
        if settings.secure:
            influxdb_tokens.ensure(settings, url, token, org, buckets[settings.influxdb_bucket])
