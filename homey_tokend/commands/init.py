"""``homey-tokend init``: asks, signs in once, and writes the first configuration."""

import argparse
import asyncio
import getpass
import io
import os
import shlex
import sys
from dataclasses import replace
from typing import Self

from homey_tokend import __version__, locate, startup, totp
from homey_tokend.acquaintance import Acquaintance
from homey_tokend.addresses import is_cloudid
from homey_tokend.config import Config, parse
from homey_tokend.config.environment import DAEMON_VARIABLES
from homey_tokend.dialogue import Dialogue
from homey_tokend.entry import put
from homey_tokend.errors import TokendError
from homey_tokend.exits import OK
from homey_tokend.first_place import FirstPlace, first_place
from homey_tokend.first_setup import FirstSetup
from homey_tokend.model import Bearer, Credentials, Secret, UserToken
from homey_tokend.rehearsal import Teller
from homey_tokend.transport import HttpTransport

_CLIENTS = "https://tools.developer.homey.app/api/projects"
_CLOUDIDS = "https://tools.developer.homey.app/tools/system"
_VARIABLE = "accesstoken"
_NO_VARIABLE = "-"
#: As config/sinks.py takes it.
_LONGEST_NAME = 128
#: What stands for the Homey until it is known.
_UNKNOWN = "unknown"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="the file to write (default: where it is looked for)"
    )
    parser.epilog = (
        "It asks for account and API client, sends the password once, lists the account's\n"
        "Homeys and the text variables of the one you pick, and writes the configuration and a\n"
        "file for each secret. Nothing that is there is written over, and nothing is written\n"
        "before the whole way to a token has been walked.\n\n"
        "example:\n  homey-tokend init\n"
    )


def run(args: argparse.Namespace) -> int:
    """Ask, try and write.

    Raises:
        ClientError: the configuration is there already or cannot be written, or the input ended.
        ConfigurationInvalid: what was answered cannot stand in a configuration.
        TokendError: whatever the way to a token ends with.
    """
    place = first_place(args.config, os.environ)
    place.must_be_free()
    into = sys.stdin or io.StringIO()
    return _Init(place, Dialogue(into, sys.stderr, _unseen if into.isatty() else None)).run()


def _unseen(prompt: str) -> str:
    return getpass.getpass(prompt, sys.stderr)


class _Init:
    def __init__(self, place: FirstPlace, dialogue: Dialogue) -> None:
        self._place = place
        self._dialogue = dialogue
        self._secrets: dict[str, str] = {}

    def run(self) -> int:
        self._dialogue.say(
            f"This asks for what the daemon signs in with, tries it once, and writes\n"
            f"{self._place.config}. An API client of your own is made at\n{_CLIENTS}.\n"
        )
        draft = self._asked()
        teller = Teller(self._dialogue.say)
        with (
            startup.speaking(_checked(draft, self._place), teller.heard) as begun,
            _Way(begun, self._who(draft)) as way,
        ):
            draft = self._met(draft, way)
            _checked(draft, self._place)
            written = self._place.write(draft.text(), self._secrets)
            put("".join(f"written: {path}\n" for path in written))
            if "totp_secret" in self._secrets:
                self._dialogue.say("Waiting half a minute at most, for the next one-time code…")
                way.past_the_code()
        self._dialogue.say(_next_steps(self._place))
        return OK

    def _asked(self) -> FirstSetup:
        dialogue, secrets = self._dialogue, self._secrets
        email = dialogue.ask("E-mail address of the Athom account")
        secrets["password"] = dialogue.secret("Password")
        one_time = self._one_time_secret()
        client_id = dialogue.ask("Client id")
        secrets["client_secret"] = dialogue.secret("Client secret")
        if one_time:
            secrets["totp_secret"] = one_time
        redirect_url = dialogue.ask("Callback URL of the client", "http://localhost")
        return FirstSetup(
            email=email,
            client_id=client_id,
            redirect_url=redirect_url,
            secrets={key: self._place.secret(key) for key in secrets},
            cloudid=_UNKNOWN,
            endpoints=_endpoints(),
        )

    def _one_time_secret(self) -> str:
        question = "Base32 secret of two-factor authentication, Enter where it is off"
        while (text := self._dialogue.secret(question, needed=False)) and not totp.normal(text):
            self._dialogue.say("That is no base32 text of 16 characters or more.")
        return text

    def _who(self, draft: FirstSetup) -> Credentials:
        one_time = self._secrets.get("totp_secret")
        return Credentials(
            email=Secret(draft.email),
            password=Secret(self._secrets["password"]),
            client_id=draft.client_id,
            client_secret=Secret(self._secrets["client_secret"]),
            redirect_url=draft.redirect_url,
            cloudid=draft.cloudid,
            totp_secret=Secret(one_time) if one_time else None,
        )

    def _met(self, draft: FirstSetup, way: "_Way") -> FirstSetup:
        """Sign in, have the Homey and the variable picked, and walk the rest of the way."""
        way.log_in()
        cloudid, called = self._picked(way)
        way.pick(cloudid)
        bearer = way.bearer()
        self._dialogue.say(f"A token is got, good for {bearer.expires_at - bearer.issued_at}.")
        variable = self._variable(way, bearer)
        return replace(draft, cloudid=cloudid, called=called, variable=variable)

    def _picked(self, way: "_Way") -> tuple[str, str]:
        """The Homey's cloudid and name, as the account tells them or a person does."""
        homeys = way.homeys()
        if not homeys:
            self._dialogue.say(f"Athom does not tell the account's Homeys. See {_CLOUDIDS}")
            return self._typed_cloudid(), ""
        self._dialogue.say("The Homeys of this account:")
        options = [f"{name or 'without a name'} ({key})" for key, name in homeys.items()]
        number = self._dialogue.choose("Which one?", options)
        return list(homeys.items())[number]

    def _typed_cloudid(self) -> str:
        while not is_cloudid(cloudid := self._dialogue.ask("Cloudid of the Homey")):
            self._dialogue.say("A cloudid has letters, digits and dashes.")
        return cloudid

    def _variable(self, way: "_Way", bearer: Bearer) -> str:
        """The name of the logic variable to write, or ""."""
        dialogue = self._dialogue
        try:
            known = way.variables(bearer)
        except TokendError as error:
            dialogue.say(f"The Homey's logic variables are not to be had: {error.message}")
            dialogue.say(error.remedy or "The token is served on the socket all the same.")
            return ""
        texts = ", ".join(name for name, text in known.items() if text)
        dialogue.say(f"Text variables of the Homey: {texts or 'none'}")
        dialogue.say(
            "Everybody and every app that may read logic variables can read the token in one."
        )
        question = f"Write the token to which one? {_NO_VARIABLE}: none; a new one is made"
        while True:
            answer = dialogue.ask(question, _VARIABLE)
            if len(answer) > _LONGEST_NAME:
                dialogue.say(f"A name has at most {_LONGEST_NAME} characters.")
            elif not known.get(answer, True):
                dialogue.say(f"{answer} is no text variable, which a token needs.")
            else:
                break
        return "" if answer == _NO_VARIABLE else answer


class _Way:
    """The way to a token, step by step, over one connection pool."""

    def __init__(self, begun: startup.Started, who: Credentials) -> None:
        self._runner = asyncio.Runner()
        self._transport = HttpTransport(
            begun.world.clock,
            timeout=begun.config.refresh.timeout,
            environ=begun.world.environ,
            user_agent=f"homey-tokend/{__version__}",
        )
        heard = begun.world.heard
        self._steps = Acquaintance(
            transport=self._transport,
            endpoints=begun.config.endpoints,
            lifetime=begun.config.refresh.lifetime,
            clock=begun.world.clock,
            hide=begun.world.hide,
            heard=lambda request, response: heard("", request, response),
        )
        self._who = who
        self._user: UserToken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._runner:
            self._runner.run(self._transport.close())

    def log_in(self) -> None:
        self._user = self._runner.run(self._steps.log_in(self._who))

    def past_the_code(self) -> None:
        self._runner.run(self._steps.past_the_code(self._user))

    def homeys(self) -> dict[str, str]:
        return self._runner.run(self._steps.homeys(self._who, self._user))

    def pick(self, cloudid: str) -> None:
        self._who = replace(self._who, cloudid=cloudid)

    def bearer(self) -> Bearer:
        return self._runner.run(self._steps.bearer(self._who, self._user))

    def variables(self, bearer: Bearer) -> dict[str, bool]:
        return self._runner.run(self._steps.variables(bearer))


def _endpoints() -> dict[str, str]:
    """Endpoints that are not Athom's: a simulator's, from the environment."""
    found = {path: os.environ.get(name) for name, path in DAEMON_VARIABLES.items()}
    return {key: url for (section, key), url in found.items() if section == "endpoints" and url}


def _checked(draft: FirstSetup, place: FirstPlace) -> Config:
    """The configuration as far as it is known.

    Raises:
        ConfigurationInvalid: an answer cannot stand in it.
    """
    text = draft.text().encode()
    config = parse(text, str(place.config), defaults=locate.defaults(os.environ), environ={})
    return replace(config, log=config.log.model_copy(update={"level": "warning"}))


def _next_steps(place: FirstPlace) -> str:
    if place.unit:
        return "Next: systemctl enable --now homey-tokend.socket homey-tokend.service"
    named = (
        "" if place.config in locate.places(os.environ) else f" -c {shlex.quote(str(place.config))}"
    )
    return f"Next: homey-tokend run{named}"
