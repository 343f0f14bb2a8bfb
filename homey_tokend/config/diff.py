"""What a new configuration changes in a running daemon. Pure."""

from dataclasses import dataclass

from homey_tokend.config import Config


@dataclass(frozen=True, slots=True)
class Differences:
    """Names of Homeys by what becomes of them, and which doors change.

    ``kept`` Homeys go on undisturbed. Of the ``changed`` those that are ``rewired``, too,
    have other sinks only: what an attempt has left is gone on from. ``needs_restart``
    names keys whose change takes effect with the next start only.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    rewired: tuple[str, ...] = ()
    socket: bool = False
    http: bool = False
    log: bool = False
    transport: bool = False
    needs_restart: tuple[str, ...] = ()


def compare(old: Config, new: Config) -> Differences:
    """The differences, in the order of the new configuration."""
    rules_changed = (old.refresh, old.endpoints) != (new.refresh, new.endpoints)
    both = [name for name in new.homeys if name in old.homeys]
    changed = tuple(name for name in both if rules_changed or old.homeys[name] != new.homeys[name])
    return Differences(
        added=tuple(name for name in new.homeys if name not in old.homeys),
        removed=tuple(name for name in old.homeys if name not in new.homeys),
        changed=changed,
        rewired=tuple(name for name in changed if not rules_changed and _rewired(old, new, name)),
        kept=tuple(name for name in both if name not in changed),
        socket=old.socket != new.socket,
        http=old.http != new.http,
        log=old.log != new.log,
        transport=old.refresh.timeout != new.refresh.timeout,
        needs_restart=("state.path",) if old.state != new.state else (),
    )


def _rewired(old: Config, new: Config, name: str) -> bool:
    sinks = {"sinks": new.homeys[name].sinks}
    return old.homeys[name].model_copy(update=sinks) == new.homeys[name]
