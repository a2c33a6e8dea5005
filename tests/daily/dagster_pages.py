"""Dagster's web server, asked as its pages ask it: runs and backfills are launched, and their states and words read."""

import time
from typing import Any

from sensorlake.settings import Settings
from stack import http_probe, ports
from stack.layout import Layout

_LAUNCH = """mutation($asset: String!, $day: String!, $checks: [AssetCheckHandleInput!]) { launchRun(executionParams: {
    selector: {repositoryLocationName: "sensorlake", repositoryName: "__repository__", jobName: "__ASSET_JOB",
      assetSelection: [{path: [$asset]}], assetCheckSelection: $checks},
    executionMetadata: {tags: [{key: "dagster/partition", value: $day}]}}) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_LAUNCH_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_BACKFILL = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status error { message } } } }"""
_ASKING = """{
  sensorsOrError(repositorySelector: {repositoryLocationName: "sensorlake", repositoryName: "__repository__"}) {
    ... on Sensors { results { sensorState { id status } } } }
  schedulesOrError(repositorySelector: {repositoryLocationName: "sensorlake", repositoryName: "__repository__"}) {
    ... on Schedules { results { scheduleState { id status } } } } }"""
_SET_CURSOR = """mutation($sensor: SensorSelector!, $cursor: String!) {
  setSensorCursor(sensorSelector: $sensor, cursor: $cursor) { __typename } }"""
_START_SENSOR = "mutation($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) { __typename } }"
_TICKS = """query($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor {
  sensorState { ticks(limit: 20) { status timestamp runKeys } } } } }"""
_SENSORS = """{
  sensorsOrError(repositorySelector: {repositoryLocationName: "sensorlake", repositoryName: "__repository__"}) {
    ... on Sensors { results { name sensorState {
      typeSpecificData { ... on SensorData { lastCursor } } ticks(limit: 20) { status timestamp } } } } } }"""
_PAST = """{ assetsOrError(limit: 500) { ... on AssetConnection { nodes {
  key { path } definition { id } assetMaterializations(limit: 1) { runId } } } } }"""
_STOP_SENSOR = "mutation($id: String!) { told: stopSensor(id: $id) { __typename } }"
_STOP_SCHEDULE = "mutation($id: String!) { told: stopRunningSchedule(id: $id) { __typename } }"
# Longer than the daemon takes to look at all of them once.
_LET_BE_SECONDS = 10.0
_RUNS = """{ runsOrError(limit: 20) { ... on Runs { results { runId status tags { key value } } } } }"""
_LAST_WORDS = """query($run: ID!) { logsForRun(runId: $run) { ... on EventConnection {
    events { ... on MessageEvent { message } ... on ErrorEvent { error { message } } } } } }"""
_CHECKS = """query($asset: String!) { assetNodeOrError(assetKey: {path: [$asset]}) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""


class DagsterPages:
    def __init__(self, settings: Settings) -> None:
        self._port = ports.read(Layout.of(settings).ports_file)["dagster"]

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer's data; empty where the server could not find it."""
        body = {"query": query, "variables": variables}
        found = http_probe.request(f"http://127.0.0.1:{self._port}/graphql", body=body)[1].get("data")
        return found if isinstance(found, dict) else {}

    def stop_asking(self) -> None:
        """No run but those of the tests: others would wait for the same pools. The daemon writes back what it read of
        one that it is looking at, stopped or not, so it is looked at until it lets all of them be."""
        since = time.monotonic()
        while time.monotonic() - since < _LET_BE_SECONDS:
            found = self.ask(_ASKING)
            for kind, stop in (("sensor", _STOP_SENSOR), ("schedule", _STOP_SCHEDULE)):
                states = [each[f"{kind}State"] for each in found[f"{kind}sOrError"]["results"]]
                for running in (state for state in states if state["status"] != "STOPPED"):
                    told = self.ask(stop, id=running["id"])["told"]["__typename"]
                    assert told in ("StopSensorMutationResult", "ScheduleStateResult"), told
                    since = time.monotonic()
            time.sleep(0.2)

    def begin_asking(self, sensor: str, cursor: str) -> None:
        """Switch one sensor on, from this cursor on."""
        for query, given in ((_SET_CURSOR, {"cursor": cursor}), (_START_SENSOR, {})):
            (told,) = self.ask(query, sensor=_selector(sensor), **given).values()
            assert told["__typename"] == "Sensor", told

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        """Status, timestamp and run keys of its last ticks, the newest first; nothing while the server is away."""
        found = self.ask(_TICKS, sensor=_selector(sensor)).get("sensorOrError", {})
        return list(found.get("sensorState", {}).get("ticks", []))

    def sensors(self) -> list[dict[str, Any]]:
        """Name, cursor and last ticks of each; none while the code is not loaded."""
        return list(self.ask(_SENSORS).get("sensorsOrError", {}).get("results", []))

    def past(self) -> dict[str, dict[str, Any]]:
        """By name each asset that was ever made: its definition of today, if any, and its last materialization."""
        found = self.ask(_PAST)["assetsOrError"]["nodes"]
        return {"/".join(each["key"]["path"]): each for each in found if each["assetMaterializations"]}

    def launch(self, asset: str, day: str, *, checks: bool) -> str:
        """Start a run of `asset` for one day, with all of its checks or none; its id."""
        launched = self.ask(_LAUNCH, asset=asset, day=day, checks=None if checks else [])["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def launch_backfill(self, asset: str, *days: str) -> str:
        params = {"assetSelection": [{"path": [asset]}], "partitionNames": days}
        launched = self.ask(_LAUNCH_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def backfill(self, identity: str) -> dict[str, Any]:
        """The status of a backfill, and its error."""
        found: dict[str, Any] = self.ask(_BACKFILL, id=identity)["partitionBackfillOrError"]
        return found

    def states(self, cause: str) -> dict[str, str]:
        """The run, those that Dagster made of it when it tried it again, or those of a backfill: state by id, the
        newest first."""
        results = self.ask(_RUNS).get("runsOrError", {}).get("results", [])
        causes = ("dagster/root_run_id", "dagster/backfill")
        return {
            each["runId"]: each["status"]
            for each in results
            if cause in (each["runId"], *(tag["value"] for tag in each["tags"] if tag["key"] in causes))
        }

    def said(self, run: str) -> str:
        return str(self.ask(_LAST_WORDS, run=run).get("logsForRun", {}).get("events", ""))

    def checks(self, asset: str) -> dict[str, str | None]:
        """How each check of `asset` ended on what was written last."""
        found = self.ask(_CHECKS, asset=asset)["assetNodeOrError"]["assetChecksOrError"]["checks"]
        return {each["name"]: (each["executionForLatestMaterialization"] or {}).get("status") for each in found}


def _selector(sensor: str) -> dict[str, str]:
    return {"repositoryLocationName": "sensorlake", "repositoryName": "__repository__", "sensorName": sensor}
