"""Step Functions: state machines, their executions, and what happened in each."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from scones.local.asl.ports import Clock
from scones.local.executions.clock import WallClock
from scones.local.executions.integrations import GatewayCall
from scones.local.identity import Identity
from scones.local.services.stepfunctions.executions import ExecutionOperations
from scones.local.services.stepfunctions.histories import HistoryOperations
from scones.local.services.stepfunctions.ledger import Ledger
from scones.local.services.stepfunctions.map_runs import MapRunOperations
from scones.local.services.stepfunctions.state_machines import StateMachineOperations
from scones.local.services.stepfunctions.tags import TagOperations
from scones.local.services.stepfunctions.tokens import TokenOperations
from scones.local.services.stepfunctions.trials import TrialOperations
from scones.local.services.stepfunctions.versions import VersionOperations


class StepFunctions(
    StateMachineOperations,
    ExecutionOperations,
    HistoryOperations,
    VersionOperations,
    MapRunOperations,
    TokenOperations,
    TagOperations,
    TrialOperations,
):
    """The service; entering it takes up the executions that had not ended."""

    def __init__(
        self,
        home: Path,
        identity: Identity,
        call: GatewayCall,
        clock: Callable[[], float] = time.time,
        waits: Clock | None = None,
    ) -> None:
        """`call` performs any carried operation; `waits` are the waits of executions, which tests
        let pass faster."""
        path = home / "stepfunctions.sqlite"
        super().__init__(Ledger(path, identity, call, clock, waits or WallClock(clock)))

    async def __aenter__(self) -> "StepFunctions":
        self._ledger.take_up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._ledger.close()
