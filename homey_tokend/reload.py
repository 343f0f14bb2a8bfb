"""Apply a changed configuration to the running daemon."""

from collections.abc import Callable
from functools import partial

import structlog

from homey_tokend.build import Components
from homey_tokend.config import Config
from homey_tokend.config.diff import compare
from homey_tokend.core.errors import ConfigurationInvalid
from homey_tokend.core.ports import Scheduler
from homey_tokend.keeper.supervisor import Supervisor

log = structlog.get_logger()
_REJECTED = "Correct it and reload again; until then the old configuration stays in force."


class Reloader:
    """Read the configuration again and apply it; keepers that it does not affect keep running.

    Args:
        components: The components of the running daemon.
        supervisor: Runs the keepers.
        scheduler: Wakes the keepers.
        load: Reads the configuration; runs on a thread.
    """

    def __init__(
        self,
        components: Components,
        supervisor: Supervisor,
        scheduler: Scheduler,
        load: Callable[[], Config],
    ) -> None:
        self._components = components
        self._supervisor = supervisor
        self._scheduler = scheduler
        self._load = load

    async def run(self) -> Config | None:
        """Reload once.

        Returns:
            The new configuration; None if it is invalid, which is logged and changes nothing.
        """
        try:
            new = await self._components.run_blocking(self._load)
        except ConfigurationInvalid as error:
            for fault in error.faults:
                log.error("reload.rejected", fault=str(fault), remedy=_REJECTED)
            return None
        await self._adopt(new)
        return new

    async def _adopt(self, new: Config) -> None:
        differences = compare(self._components.config, new)
        await self._components.adopt(new, differences)
        for name in differences.removed:
            await self._supervisor.remove(name)
            await self._components.store.forget(name)
        for name in (*differences.changed, *differences.added):
            await self._supervisor.put(
                name, partial(self._components.keeper, name, self._scheduler)
            )
        for name in (*differences.kept, *differences.sinks_only):
            keeper = self._supervisor.keepers[name]
            keeper.settings = self._components.refresh_settings(name, keeper.sinks)
            keeper.read_credentials(commands=True)
        self._supervisor.reorder(tuple(new.homeys))
        await self._components.close_replaced()
        for fault in new.warnings:
            log.warning("configuration.warning", fault=str(fault))
        for key in differences.needs_restart:
            log.warning("reload.restart_required", key=key)
        log.info(
            "reload.done",
            added=list(differences.added),
            removed=list(differences.removed),
            changed=list(differences.changed),
            kept=list(differences.kept),
        )
