"""The errors that a user can act on.

    SensorlakeError
    ├── SettingsError        a setting is missing or wrong; the message names the variable
    ├── ContractError        a message, schema or topic does not have the agreed shape
    ├── StackError           a local service cannot be got, started or reached
    │   ├── MissingToolError a program that set-up needs is not installed
    │   └── UnreachableError it may answer later: whoever can go on without it does
    ├── InputFileError       a file given on the command line cannot be read; names file, line and reason
    ├── LakeError            a Delta table is not as its specification says
    │   └── ThresholdsError  a version of the thresholds cannot be read or published
    ├── ModelError           a model cannot be trained, published, trusted or found
    │   └── ModelServerError a model server does not answer, or refuses
    ├── FeedbackError        a verdict is on an anomaly that does not exist
    ├── DeadLetterError      dead letters cannot be found, corrected or sent again
    │   └── SelectionError   which ones, or by which patch, is asked for in a way that nobody can answer
    ├── ReportError          dbt does not understand the reports' project
    └── StreamError          a query cannot start or go on
        └── CheckpointError  a checkpoint does not fit the query that should go on from it

The command line prints the message alone and exits with `exit_code`; anything else that is raised is a bug and keeps
its traceback.
"""


class SensorlakeError(Exception):
    """Root of every error whose message tells the user what to do."""

    exit_code = 1


class SettingsError(SensorlakeError):
    exit_code = 2


class ContractError(SensorlakeError):
    pass


class StackError(SensorlakeError):
    pass


class MissingToolError(StackError):
    pass


class UnreachableError(StackError):
    pass


class InputFileError(SensorlakeError):
    exit_code = 2


class LakeError(SensorlakeError):
    pass


class ThresholdsError(LakeError):
    pass


class ModelError(SensorlakeError):
    pass


class ModelServerError(ModelError):
    """`status` is the server's HTTP status, or 0 where it gave no answer; 503 asks to try again later."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class FeedbackError(SensorlakeError):
    pass


class DeadLetterError(SensorlakeError):
    pass


class SelectionError(DeadLetterError):
    exit_code = 2


class ReportError(SensorlakeError):
    pass


class StreamError(SensorlakeError):
    pass


class CheckpointError(StreamError):
    pass
