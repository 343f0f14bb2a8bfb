"""Home Assistant's snippets: run commands, request addresses, render templates with Jinja."""

import json
import shlex
from datetime import datetime
from typing import Any

import yaml

from tests.end_to_end.examples.stage import EXAMPLES, ExampleFailed, Stage, daemon, until


def document() -> Any:
    """Return the example as Home Assistant reads it."""
    return yaml.safe_load((EXAMPLES / "home-assistant.yaml").read_text(encoding="utf-8"))


def render(on: Stage, template: str, variables: dict[str, object]) -> str:
    """Render a template with these variables."""
    environment = on.tools.jinja().Environment(autoescape=False)
    return str(environment.from_string(template).render(variables))


def render_value(on: Stage, template: str, text: str) -> str:
    """Render a ``value_template`` for a response; ``value_json`` is set if it is JSON."""
    try:
        return render(on, template, {"value": text, "value_json": json.loads(text)})
    except json.JSONDecodeError:
        return render(on, template, {"value": text})


def command_line(on: Stage) -> None:
    """Check that each sensor's command succeeds, and that its template renders the output."""
    values = {
        entry["sensor"]["name"]: render_value(
            on, entry["sensor"]["value_template"], on.run("sh", "-c", entry["sensor"]["command"])
        )
        for entry in document()["command_line"]
    }
    if values["Homey devices"] != "2":
        raise ExampleFailed(f"two devices were expected: {values}")
    if datetime.fromisoformat(values["Homey token expires"]).tzinfo is None:
        raise ExampleFailed(f"an instant with its zone was expected: {values}")


def rest(on: Stage) -> None:
    """Check that the REST sensor is ON with a token, and OFF with a daemon that has none."""
    for entry in document()["rest"]:
        states = [sensor_states(on, entry), sensor_states(without_token(on), entry, running=False)]
        if states != [["ON"], ["OFF"]]:
            raise ExampleFailed(f"ON, then OFF was expected: {states}")


def without_token(on: Stage) -> Stage:
    """Return the stage of a daemon whose cloud is down."""
    folder = on.folder / "dark"
    folder.mkdir()
    description = {
        **on.description,
        **dict.fromkeys(("accounts", "api", "homey"), "http://127.0.0.1:9"),
    }
    return Stage(folder, description, on.tools)


def sensor_states(on: Stage, entry: Any, *, running: bool = True) -> list[str]:
    """Return the states of an entry's sensors; Home Assistant reads a response whatever its status."""
    if not running:
        with daemon(on, on.folder / "run.log"):
            return sensor_states(on, entry)
    text = str(until(lambda: on.ended("curl", "-sS", on.url(entry["resource"])).stdout))
    return [render_value(on, sensor["value_template"], text) for sensor in entry["binary_sensor"]]


def shell_command(on: Stage) -> None:
    """Switch a lamp on and off; as with all templates, without a shell."""
    devices = json.loads(on.run("homey-tokend", "call", "devices"))
    lamp = next(key for key, one in devices.items() if "onoff" in one["capabilities"])
    template = document()["shell_command"]["homey_lamp"]
    for wanted in (True, False):
        on.run(*shlex.split(render(on, template, {"device": lamp, "on": wanted})))
        description = json.loads(on.run("homey-tokend", "call", "device", lamp))
        if description["capabilitiesObj"]["onoff"]["value"] is not wanted:
            raise ExampleFailed(f"the lamp is not {wanted}")
