"""What a new configuration changes for a running daemon."""

from dataclasses import dataclass

from homey_tokend.config.model import Config


@dataclass(frozen=True, slots=True)
class Differences:
    """Names of Homeys by what a new configuration changes for them.

    The ``kept`` ones are the same. Of the ``changed`` ones, those in ``sinks_only`` continue a
    running attempt: only their sinks differ. ``needs_restart`` names keys whose change takes
    effect at the next start.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    kept: tuple[str, ...]
    sinks_only: tuple[str, ...]
    new_timeout: bool
    needs_restart: tuple[str, ...]


def compare(old: Config, new: Config) -> Differences:
    """Return the differences, in the order of the new configuration."""
    rules_changed = (old.refresh, old.endpoints) != (new.refresh, new.endpoints)
    both = [name for name in new.homeys if name in old.homeys]
    changed = [name for name in both if rules_changed or old.homeys[name] != new.homeys[name]]
    sinks_only = [name for name in changed if not rules_changed and _same_but_sinks(old, new, name)]
    return Differences(
        added=tuple(name for name in new.homeys if name not in old.homeys),
        removed=tuple(name for name in old.homeys if name not in new.homeys),
        changed=tuple(changed),
        kept=tuple(name for name in both if name not in changed),
        sinks_only=tuple(sinks_only),
        new_timeout=old.refresh.timeout != new.refresh.timeout,
        needs_restart=("state.path",) if old.state != new.state else (),
    )


def _same_but_sinks(old: Config, new: Config, name: str) -> bool:
    sinks = {"sinks": new.homeys[name].sinks}
    return old.homeys[name].model_copy(update=sinks) == new.homeys[name]
