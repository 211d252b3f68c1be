"""CloudWatch Logs: groups, streams, and the events in them."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from scones.local.identity import Identity
from scones.local.services.logs.events import Events
from scones.local.services.logs.groups import Groups
from scones.local.services.logs.ledger import Ledger
from scones.local.services.logs.streams import Streams


class Logs(Groups, Streams, Events):
    """CloudWatch Logs. Retention is kept and told, but no event is deleted for its age."""

    def __init__(
        self, *, home: Path, identity: Identity, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(Ledger(home, identity, clock))

    async def __aenter__(self) -> "Logs":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ledger.store.close()
