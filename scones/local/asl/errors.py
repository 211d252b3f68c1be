"""What goes wrong inside an execution, by Amazon States Language's own error names."""

from scones.local.asl.text import whole

ALL = "States.ALL"
DATA_LIMIT_EXCEEDED = "States.DataLimitExceeded"
EXCEED_TOLERATED_FAILURE_THRESHOLD = "States.ExceedToleratedFailureThreshold"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
INTRINSIC_FAILURE = "States.IntrinsicFailure"
ITEM_READER_FAILED = "States.ItemReaderFailed"
NO_CHOICE_MATCHED = "States.NoChoiceMatched"
QUERY_EVALUATION_ERROR = "States.QueryEvaluationError"
RESULT_WRITER_FAILED = "States.ResultWriterFailed"
RUNTIME = "States.Runtime"
"""No Retry or Catch takes it, even by its name."""
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"

PAYLOAD_LIMIT_BYTES = 262144
"""Largest input or result of a state, in UTF-8.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

EVENT_LIMIT = 25_000
"""Most events in one history; source as above."""


class StatesError(Exception):
    """A failure with a name that Retry and Catch can match.

    `error` and `cause` are None where AWS leaves them out (a Fail state without them). `from_task`
    tells a failed integration, which States.TaskFailed matches too; `in_state` a failure of the
    interpreter itself, whose cause AWS begins with the state's name. `placed` says that the cause
    is complete and the failure in the history.
    """

    def __init__(
        self,
        error: str | None,
        cause: str | None = None,
        *,
        from_task: bool = False,
        in_state: bool = False,
    ) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error and whole(error)
        self.cause = cause and whole(cause)
        self.from_task = from_task
        self.in_state = in_state
        self.placed = False


class EvaluationError(StatesError):
    """A JSONata expression, or its result, that could not be used; gets an event of its own.

    `location` is the field, "Output/result"; None where AWS names none. `before_entry` tells an
    expression that is evaluated on entering a state: AWS puts its event beside the entry.
    """

    def __init__(self, cause: str, location: str | None = None, *, before_entry: bool = True):
        super().__init__(QUERY_EVALUATION_ERROR, cause, in_state=True)
        self.location = location
        self.before_entry = before_entry


class PathError(Exception):
    """A path that leads nowhere: `missing` is the part of it that was not found."""

    def __init__(self, path: str, missing: str, detail: str) -> None:
        super().__init__(detail)
        self.path = path
        self.missing = missing
        self.detail = detail
