"""Check the programs of exec sinks, without running them."""

from collections.abc import Iterator, Mapping

from homey_tokend.config import Config, ExecSinkConfig
from homey_tokend.core.errors import ConfigFault
from homey_tokend.runtime.programs import program_fault
from homey_tokend.sinks.exec import child_defaults


def program_warnings(config: Config, environ: Mapping[str, str]) -> Iterator[ConfigFault]:
    """Yield a warning for each program that the system cannot execute."""
    inherited = child_defaults(environ)
    for name, homey in config.homeys.items():
        for index, sink in enumerate(homey.sinks):
            if not isinstance(sink, ExecSinkConfig):
                continue
            if words := program_fault(sink.command, inherited):
                place = f"homeys.{name}.sinks[{index}].command"
                # Without its name, which may be a whole command line with a secret.
                message = f"the program {words[0]}"
                yield ConfigFault(config.source, 0, 0, place, message, words[1])
