"""Which request has which name and which handler."""

from typing import NamedTuple

from homey_tokend.simulator import accounts, cloud, devices, homey, logic, managers, oauth
from homey_tokend.simulator.call import Handler

#: Every path of a Homey begins with this; all Homeys live on the one port.
_AT = "/homey/{cloudid}"
_MANAGER = f"{_AT}/api/manager"


class Route(NamedTuple):
    """One line of the table; a slash at the end of a path is optional, as in Express."""

    method: str
    path: str
    step: str
    handler: Handler


ROUTES = (
    Route("POST", "/login", "login", accounts.login),
    Route("GET", "/oauth2/authorise", "authorise", accounts.hop),
    Route("GET", "/authorise", "authorise", accounts.authorise),
    Route("POST", "/authorise", "consent", accounts.consent),
    Route("*", "/oauth2/token", "token", oauth.token),
    Route("GET", "/user/me", "user", cloud.user_me),
    Route("POST", "/delegation/token", "delegation", cloud.delegation),
    Route("GET", "/delegation/verify", "other", cloud.verify_delegation),
    Route("POST", f"{_MANAGER}/users/login", "homey_login", homey.login),
    Route("GET", f"{_MANAGER}/sessions/session/me", "session", homey.session_me),
    Route("GET", f"{_MANAGER}/sessions/session", "other", homey.sessions),
    Route("DELETE", f"{_MANAGER}/sessions/session/{{id}}", "other", homey.end_session),
    Route("GET", f"{_MANAGER}/logic/variable", "variable", logic.listed),
    Route("POST", f"{_MANAGER}/logic/variable", "variable", logic.created),
    Route("GET", f"{_MANAGER}/logic/variable/{{id}}", "variable", logic.shown),
    Route("PUT", f"{_MANAGER}/logic/variable/{{id}}", "variable", logic.updated),
    Route("DELETE", f"{_MANAGER}/logic/variable/{{id}}", "variable", logic.deleted),
    Route("GET", f"{_MANAGER}/system/ping", "ping", homey.ping),
    Route("GET", f"{_MANAGER}/webserver/ping", "ping", homey.ping),
    Route("GET", f"{_MANAGER}/devices/device", "devices", devices.listed),
    Route("GET", f"{_MANAGER}/devices/device/{{id}}", "devices", devices.shown),
    Route(
        "PUT",
        f"{_MANAGER}/devices/device/{{id}}/capability/{{capability}}",
        "devices",
        devices.switched,
    ),
    Route(
        "GET",
        f"{_MANAGER}/devices/device/{{id}}/capability/{{capability}}",
        "devices",
        devices.read,
    ),
    Route("GET", f"{_MANAGER}/zones/zone", "other", devices.zones),
    Route(
        "GET",
        f"{_MANAGER}/zones/zone/{{id}}",
        "other",
        managers.one_of(lambda homey: homey.zones, "homey.zone.readonly"),
    ),
    *(
        Route("GET", f"{_MANAGER}{told.path}", "other", managers.telling(told))
        for told in managers.TOLD
    ),
    Route("POST", f"{_MANAGER}/flow/flow/{{id}}/trigger", "other", managers.triggered),
    Route("POST", f"{_MANAGER}/system/reboot", "other", managers.rebooted),
    Route("POST", f"{_MANAGER}/zwave/command", "other", managers.commanded),
    Route("*", f"{_AT}/{{rest:.*}}", "other", homey.unknown),
    Route("*", "/{rest:.*}", "other", homey.not_found),
)
