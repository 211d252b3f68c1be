"""What every operation of Step Functions works with."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from scones.local.asl.interpreter import World
from scones.local.asl.ports import Clock, MapRunPlan
from scones.local.executions.engine import Engine
from scones.local.executions.integrations import GatewayCall, Integrations
from scones.local.executions.journal import Journal
from scones.local.executions.machines import Machines
from scones.local.executions.map_runs import MapRun
from scones.local.executions.tokens import Tokens
from scones.local.identity import Identity


class Ledger:
    """Machines, executions, and the engine that runs them."""

    def __init__(
        self,
        path: Path,
        identity: Identity,
        call: GatewayCall,
        now: Callable[[], float],
        clock: Clock,
    ) -> None:
        self.identity = identity
        self.now = now
        self.journal = Journal(path)
        self.machines = Machines(self.journal.store)
        self.clock = clock
        self.engine = Engine(self.journal, self.clock)
        self.tokens = Tokens(now)
        self.map_runs: WeakValueDictionary[str, MapRun] = WeakValueDictionary()
        """Those that run now."""
        self.integrations = Integrations(call, clock)
        self.world = self.engine.world = World(
            clock=self.clock,
            runner=self.integrations,
            tokens=self.tokens,
            storage=self.integrations,
            open_map_run=self._open_map_run,
            settled=self.journal.settled,
            region=identity.region,
        )

    def take_up(self) -> None:
        """Go on with every execution that had not ended."""
        for record in self.journal.running():
            if record.map_run_arn is None:  # the others are children of these
                revision = self.machines.revision(record.revision)
                self.engine.start(
                    record,
                    self.machines.built(record.revision),
                    machine_context(record.machine_arn),
                    revision.role_arn,
                    self.journal.history(record.id),
                )

    async def close(self) -> None:
        """Leave off and close the files."""
        await self.engine.close()
        self.journal.close()

    def _open_map_run(self, plan: MapRunPlan, arn: str | None) -> MapRun:
        map_run = MapRun(self.engine, plan, arn)
        self.map_runs[map_run.arn] = map_run
        return map_run


class Operations:
    """Operations over a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger


def machine_context(arn: str) -> dict[str, Any]:
    """The context object's StateMachine."""
    return {"Id": arn, "Name": arn.rpartition(":stateMachine:")[2]}


def moment(seconds: float) -> datetime:
    """A time as boto3 gives it."""
    return datetime.fromtimestamp(seconds, UTC)
