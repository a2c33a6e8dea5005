"""Who may do what in InfluxDB: a token for each use. The stream only writes, dashboards only read."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sensorlake.errors import StackError
from sensorlake.settings import Service, Settings
from stack import http_probe
from stack.security import logins


def ensure(settings: Settings, url: str, operator_token: str, organisation: str, bucket: str) -> None:
    """Have a token in each part's file that InfluxDB knows; `organisation` and `bucket` are its ids of them.

    Raises:
        StackError: InfluxDB refuses.
    """
    ask = partial(http_probe.request, token=operator_token, authority=settings.tls_ca_file)
    code, answer = ask(f"{url}/api/v2/authorizations?limit=100")
    if code != 200:
        raise StackError(f"influxdb does not list its tokens: {answer.get('message', code)}")
    there = [each for each in answer["authorizations"] if each["status"] == "active"]
    for service, permissions in wanted(organisation, bucket).items():
        if logins.read(settings, service).get("influxdb_token") in {each["token"] for each in there}:
            continue
        description = f"sensorlake {service}"
        body = {"orgID": organisation, "description": description, "permissions": permissions}
        code, made = ask(f"{url}/api/v2/authorizations", body=body)
        if code != 201:
            raise StackError(f"influxdb makes no token for {service}: {made.get('message', code)}")
        logins.keep(settings, service, "influxdb_token", made["token"])
        for each in there:
            if each["description"] == description:  # one that was taken out of the file is good no more
                ask(f"{url}/api/v2/authorizations/{each['id']}", method="DELETE")


def wanted(organisation: str, bucket: str) -> Mapping[Service, list[dict[str, Any]]]:
    """Part -> permissions. Upkeep makes a bucket of hourly figures and the task that fills it."""
    one = {"type": "buckets", "id": bucket, "orgID": organisation}
    every = {"type": "buckets", "orgID": organisation}
    tasks = {"type": "tasks", "orgID": organisation}
    both = ("read", "write")
    of_organisation = {"type": "orgs", "id": organisation}
    return {
        "stream": [{"action": "write", "resource": one}],
        "orchestration": [
            {"action": "read", "resource": of_organisation},
            *({"action": action, "resource": resource} for resource in (every, tasks) for action in both),
        ],
        "dashboards": [{"action": "read", "resource": every}],
    }
