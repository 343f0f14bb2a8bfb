"""Node-RED's flow: import it into Node-RED and run it."""

import json
import subprocess

from tests.end_to_end.examples.stage import (
    EXAMPLES,
    TIMEOUT,
    ExampleFailed,
    Stage,
    free_port,
    until,
)

SETTINGS = """module.exports = {
  uiHost: '127.0.0.1', uiPort: %d, disableEditor: true, flowFile: 'flows.json',
  credentialSecret: false, diagnostics: { enabled: false }, telemetry: { enabled: false },
  logging: { console: { level: 'info', metrics: false, audit: false } },
}
"""


def flow(on: Stage) -> None:
    """Check that the flow starts by itself, calls the Homey, and shows the names of its devices."""
    folder = on.folder / "node-red"
    folder.mkdir()
    (folder / "settings.js").write_text(SETTINGS % free_port(), encoding="utf-8")
    (folder / "flows.json").write_text(json.dumps(with_console_output()), encoding="utf-8")
    log = folder / "log"
    command = [str(on.tools.node_red()), "--userDir", str(folder)]
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603  fixed words
            command, env=on.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: "[debug:" in log.read_text(encoding="utf-8") or process.poll() is not None)
    finally:
        process.terminate()
        process.wait(TIMEOUT)
    description = log.read_text(encoding="utf-8")
    if "[ 'Lamp', 'Thermometer' ]" not in description:
        raise ExampleFailed(f"Node-RED said: {description[-2000:]}")


def with_console_output() -> list[dict[str, object]]:
    """Return the example's nodes, with the output of the editor's sidebar also on the console."""
    nodes = json.loads((EXAMPLES / "node-red.json").read_text(encoding="utf-8"))
    ids = {node["id"] for node in nodes}
    wired = {to for node in nodes for wires in node.get("wires", ()) for to in wires}
    if not wired <= ids or len(ids) != len(nodes):
        raise ExampleFailed("a wire leads nowhere")
    return [node | ({"console": True} if node["type"] == "debug" else {}) for node in nodes]
