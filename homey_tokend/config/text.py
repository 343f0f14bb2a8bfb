"""A configuration file's text to a checked Config; nothing is opened."""

from collections.abc import Mapping

from homey_tokend.config.check import validate
from homey_tokend.config.decode import decode
from homey_tokend.config.environment import ignored_variables
from homey_tokend.config.whole import Config, DefaultPaths
from homey_tokend.config.yaml_text import tree


def parse(
    text: bytes,
    source: str,
    *,
    defaults: DefaultPaths,
    environ: Mapping[str, str],
    path: str = "",
) -> Config:
    """Check the text of a configuration file.

    Args:
        text: The file, whole, or the first ``decode.MOST_BYTES`` + 1 bytes of it.
        source: Its name for messages.
        defaults: The machine's default folders.
        environ: The environment; a file wins over ``HOMEY_…`` variables, and the ignored
            ones are named in ``Config.warnings``.
        path: Where it lies, absolute: nothing may be written over it. Empty: in no file.

    Raises:
        ConfigurationInvalid: It has faults; all that can be found at once are in it.
    """
    root, faults = tree(decode(text, source), source)
    return validate(
        root,
        source,
        defaults=defaults,
        path=path,
        faults=faults,
        warn=lambda document: ignored_variables(document, environ, source),
    )
