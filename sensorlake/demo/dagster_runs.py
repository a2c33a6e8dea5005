"""Asks Dagster's web server for one run of a job, as its pages do, and how that run stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sensorlake.errors import StackError
from stack import http_probe
from stack.services.dagster import LOCATION

CAUSE = "sensorlake/cause"
_MARK = "sensorlake/demo"
_LAUNCH = """mutation($selector: JobOrPipelineSelector!, $config: RunConfigData!, $tags: [ExecutionTag!]) {
  launchRun(executionParams: {
    selector: $selector, runConfigData: $config, executionMetadata: {tags: $tags}}) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
_FIND = """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}, limit: 1) {
  ... on Runs { results { runId status startTime endTime stepStats { stepKey status } } } } }"""
_WAITING = ("QUEUED", "NOT_STARTED", "STARTING")
_OVER = ("SUCCESS", "FAILURE", "CANCELED", "CANCELING")


@dataclass(frozen=True)
class Run:
    """`status`: Dagster's word. `step`: what it is at. `began`, `ended`: seconds since 1970."""

    identity: str
    status: str
    step: str | None = None
    began: float | None = None
    ended: float | None = None

    @property
    def waits(self) -> bool:
        return self.status in _WAITING

    @property
    def is_over(self) -> bool:
        return self.status in _OVER

    @property
    def succeeded(self) -> bool:
        return self.status == "SUCCESS"


class OneRun:
    """The run of `job` that carries this `mark`, which no other has: found again also where the answer to the launch
    was lost."""

    def __init__(self, port: int, job: str, mark: str) -> None:
        self._url = f"http://127.0.0.1:{port}/graphql"
        self._job = job
        self._mark = {"key": _MARK, "value": mark}

    def launch(self, config: Mapping[str, Any], cause: str, assets: Sequence[str] = ()) -> None:
        """Ask for it; `assets`: only these of the job.

        Raises:
            StackError: Dagster refuses; with what it says.
        """
        selector = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__", "jobName": self._job}
        chosen = {"assetSelection": [{"path": [name]} for name in assets]} if assets else {}
        tags = [self._mark, {"key": CAUSE, "value": cause}]
        answer = self._ask(_LAUNCH, selector=selector | chosen, config=config, tags=tags).get("launchRun")
        if answer and answer["__typename"] != "LaunchRunSuccess":
            told = [answer.get("message"), *(error["message"] for error in answer.get("errors", ()))]
            said = " ".join(text for text in told if text) or answer["__typename"]
            raise StackError(f"Dagster does not start the job {self._job}: {said}")

    def find(self) -> Run | None:
        """None where there is no such run, or Dagster does not answer now."""
        found = self._ask(_FIND, tags=[self._mark]).get("runsOrError", {}).get("results", [])
        return _run(found[0]) if found else None

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = http_probe.request(self._url, body={"query": query, "variables": variables})[1].get("data")
        return answer if isinstance(answer, dict) else {}


def _run(found: Mapping[str, Any]) -> Run:
    steps = [step["stepKey"] for step in found["stepStats"] if step["status"] == "IN_PROGRESS"]
    return Run(found["runId"], found["status"], steps[0] if steps else None, found["startTime"], found["endTime"])
