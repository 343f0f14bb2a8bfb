"""Name and handler of each request."""

from typing import NamedTuple

from homey_tokend.simulator import accounts, cloud, homey, logic, managers, oauth
from homey_tokend.simulator.requests import Handler

_HOMEY = "/homey/{cloudid}"
_MANAGER = f"{_HOMEY}/api/manager"
_VARIABLES = f"{_MANAGER}/logic/variable"
_DEVICES = f"{_MANAGER}/devices/device"
_CAPABILITY = f"{_DEVICES}/{{id}}/capability/{{capability}}"


class Route(NamedTuple):
    """One line of the table; a slash at the end of a path is optional, as in Express."""

    method: str
    path: str
    step: str
    handler: Handler


ROUTES = (
    Route("POST", "/login", "login", accounts.login),
    Route("GET", "/oauth2/authorise", "authorise", accounts.start_authorise),
    Route("GET", "/authorise", "authorise", accounts.authorise),
    Route("POST", "/authorise", "consent", accounts.consent),
    Route("*", "/oauth2/token", "token", oauth.token),
    Route("GET", "/user/me", "user", cloud.user_me),
    Route("POST", "/delegation/token", "delegation", cloud.delegation),
    Route("GET", "/delegation/verify", "other", cloud.verify_delegation),
    Route("POST", f"{_MANAGER}/users/login", "homey_login", homey.login),
    Route("GET", f"{_MANAGER}/sessions/session/me", "session", homey.session_me),
    Route("GET", f"{_MANAGER}/sessions/session", "other", homey.list_sessions),
    Route("DELETE", f"{_MANAGER}/sessions/session/{{id}}", "other", homey.end_session),
    Route("GET", _VARIABLES, "variable", logic.list_variables),
    Route("POST", _VARIABLES, "variable", logic.create_variable),
    Route("GET", f"{_VARIABLES}/{{id}}", "variable", logic.get_variable),
    Route("PUT", f"{_VARIABLES}/{{id}}", "variable", logic.update_variable),
    Route("DELETE", f"{_VARIABLES}/{{id}}", "variable", logic.delete_variable),
    Route("GET", f"{_MANAGER}/system/ping", "ping", homey.ping),
    Route("GET", f"{_MANAGER}/webserver/ping", "ping", homey.ping),
    Route("GET", _DEVICES, "devices", managers.list_devices),
    Route("GET", f"{_DEVICES}/{{id}}", "devices", managers.get_device),
    Route("PUT", _CAPABILITY, "devices", managers.set_capability),
    Route("GET", _CAPABILITY, "devices", managers.get_capability),
    Route("GET", f"{_MANAGER}/zones/zone", "other", managers.list_zones),
    Route("GET", f"{_MANAGER}/zones/zone/{{id}}", "other", managers.get_zone),
    *(
        Route("GET", f"{_MANAGER}{fixed.path}", "other", managers.fixed_value_handler(fixed))
        for fixed in managers.FIXED_VALUES
    ),
    Route("POST", f"{_MANAGER}/flow/flow/{{id}}/trigger", "other", managers.trigger_flow),
    Route("POST", f"{_MANAGER}/system/reboot", "other", managers.reboot),
    Route("POST", f"{_MANAGER}/zwave/command", "other", managers.zwave_command),
    Route("*", f"{_HOMEY}/{{rest:.*}}", "other", homey.unknown_method),
    Route("*", "/{rest:.*}", "other", homey.not_found),
)
