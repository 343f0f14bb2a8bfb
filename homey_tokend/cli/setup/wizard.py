"""``homey-tokend init``: asks, signs in once, and writes the first configuration."""

import argparse
import getpass
import io
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace

from homey_tokend.cli import bootstrap
from homey_tokend.cli.online_check import StepPrinter
from homey_tokend.cli.setup.destination import Destination, find_destination
from homey_tokend.cli.setup.draft import Draft
from homey_tokend.cli.setup.prompts import Prompts, Validator
from homey_tokend.cli.setup.token_steps import SetupSession
from homey_tokend.config import Config, locate, parse
from homey_tokend.config.environment import DAEMON_VARIABLES
from homey_tokend.core import totp
from homey_tokend.core.errors import ConfigurationInvalid, HomeyOffline, TokendError
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.exit_codes import OK

_CLIENTS = "https://tools.developer.homey.app/api/projects"
_CLOUDIDS = "https://tools.developer.homey.app/tools/system"
_VARIABLE = "accesstoken"
_NO_VARIABLE = "-"


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
        ConfigurationInvalid: the endpoints of the environment are none.
        TokendError: whatever the way to a token ends with.
    """
    place = find_destination(args.config, os.environ)
    place.must_be_free()
    into, out = sys.stdin or io.StringIO(), sys.stderr or io.StringIO()
    return _Init(place, Prompts(into, out, _unseen if into.isatty() else None)).run()


def _unseen(prompt: str) -> str:
    return getpass.getpass(prompt, sys.stderr)


class _Init:
    def __init__(self, place: Destination, dialogue: Prompts) -> None:
        self._place = place
        self._dialogue = dialogue
        self._secrets: dict[str, str] = {}
        #: What stands in the place of an answer until it is given.
        self._blank = Draft(
            email="you@example.com",
            client_id="your-client-id",
            redirect_url="http://localhost",
            secrets={key: place.secret(key) for key in ("password", "client_secret")},
            cloudid="your-cloudid",
            endpoints=_endpoints(),
        )

    def run(self) -> int:
        _checked(self._blank, self._place)
        self._dialogue.say(
            f"This asks for what the daemon signs in with, tries it once, and writes\n"
            f"{self._place.config}. An API client of your own is made at\n{_CLIENTS}.\n"
        )
        draft = self._asked()
        teller = StepPrinter(self._dialogue.say)
        with (
            bootstrap.logging_session(_checked(draft, self._place), teller.heard) as begun,
            SetupSession(begun.config, begun.world, self._who(draft)) as way,
        ):
            draft = self._met(draft, way)
            for path in self._place.write(draft.text(), self._secrets):
                self._dialogue.say(f"Written: {path}")
            if "totp_secret" in self._secrets:
                self._dialogue.say("Waiting half a minute at most, for the next one-time code…")
                way.past_the_code()
        self._dialogue.say(_next_steps(self._place))
        return OK

    def _asked(self) -> Draft:
        dialogue, secrets = self._dialogue, self._secrets
        email = dialogue.ask(
            "E-mail address of the Athom account",
            fit=self._fit(lambda answer: replace(self._blank, email=answer)),
        )
        secrets["password"] = dialogue.secret("Password")
        one_time = dialogue.secret(
            "Base32 secret of two-factor authentication, Enter where it is off",
            lambda text: (
                "" if totp.normalize_secret(text) else "It is no base32 text of 16 characters."
            ),
            needed=False,
        )
        client_id = dialogue.ask(
            "Client id", fit=self._fit(lambda answer: replace(self._blank, client_id=answer))
        )
        secrets["client_secret"] = dialogue.secret("Client secret")
        if one_time:
            secrets["totp_secret"] = one_time
        redirect_url = dialogue.ask(
            "Callback URL of the client",
            self._blank.redirect_url,
            self._fit(lambda answer: replace(self._blank, redirect_url=answer)),
        )
        return replace(
            self._blank,
            email=email,
            client_id=client_id,
            redirect_url=redirect_url,
            secrets={key: self._place.secret(key) for key in secrets},
        )

    def _fit(self, setup: Callable[[str], Draft]) -> Validator:
        """What is wrong with an answer, by the words of the configuration's own check."""

        def fit(answer: str) -> str:
            try:
                _checked(setup(answer), self._place)
            except ConfigurationInvalid as error:
                fault = error.faults[0]
                return f"{fault.message}. {fault.remedy}"
            return ""

        return fit

    def _who(self, draft: Draft) -> Credentials:
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

    def _met(self, draft: Draft, way: SetupSession) -> Draft:
        """Sign in, have the Homey and the variable picked, and walk the rest of the way."""
        way.log_in()
        cloudid, called = self._picked(way)
        way.pick(cloudid)
        variable = self._variable(self._known_variables(way))
        return replace(draft, cloudid=cloudid, called=called, variable=variable)

    def _picked(self, way: SetupSession) -> tuple[str, str]:
        """The Homey's cloudid and name, as the account tells them or a person does."""
        homeys = way.homeys()
        if not homeys:
            self._dialogue.say(f"Athom does not tell the account's Homeys. See {_CLOUDIDS}")
            return self._dialogue.ask(
                "Cloudid of the Homey",
                fit=self._fit(lambda answer: replace(self._blank, cloudid=answer)),
            ), ""
        self._dialogue.say("The Homeys of this account:")
        options = [f"{name or 'without a name'} ({key})" for key, name in homeys.items()]
        number = self._dialogue.choose("Which one?", options)
        return list(homeys.items())[number]

    def _known_variables(self, way: SetupSession) -> dict[str, bool] | None:
        """The Homey's variables, and whether each is a text; None where none can be written.

        Raises:
            TokendError: The Homey gives no token.
        """
        dialogue = self._dialogue
        try:
            bearer = way.bearer()
        except HomeyOffline as error:
            dialogue.say(f"{error.message}. {error.remedy}")
            if dialogue.ask("Write the configuration all the same? y or n", "n") != "y":
                raise
            return {}
        dialogue.say(f"There is a token, good for {bearer.expires_at - bearer.issued_at}.")
        try:
            return way.variables(bearer)
        except TokendError as error:
            dialogue.say(f"The Homey's logic variables are not to be had: {error.message}")
            dialogue.say(error.remedy or "The token is served on the socket all the same.")
            return None

    def _variable(self, known: dict[str, bool] | None) -> str:
        """The name of the logic variable to write, or ""."""
        if known is None:
            return ""
        texts = ", ".join(name for name, text in known.items() if text)
        self._dialogue.say(f"Text variables of the Homey: {texts or 'none that is known'}")
        self._dialogue.say(
            "Everybody and every app that may read logic variables can read the token in one."
        )
        well_formed = self._fit(lambda answer: replace(self._blank, variable=answer))

        def fit(answer: str) -> str:
            if not known.get(answer, True):
                return f"{answer} is no text variable, which a token needs."
            return "" if answer == _NO_VARIABLE else well_formed(answer)

        answer = self._dialogue.ask(
            f"Name of the variable for the token (created where it is new; {_NO_VARIABLE} for none)",
            _VARIABLE,
            fit,
        )
        return "" if answer == _NO_VARIABLE else answer


def _endpoints() -> dict[str, str]:
    """Endpoints that are not Athom's: a simulator's, from the environment."""
    found = {path: os.environ.get(name) for name, path in DAEMON_VARIABLES.items()}
    return {key: url for (section, key), url in found.items() if section == "endpoints" and url}


def _checked(draft: Draft, place: Destination) -> Config:
    """The configuration as far as it is known.

    Raises:
        ConfigurationInvalid: an answer cannot stand in it.
    """
    text = draft.text().encode()
    config = parse(text, str(place.config), defaults=locate.default_paths(os.environ), environ={})
    return replace(config, log=config.log.model_copy(update={"level": "warning"}))


def _next_steps(place: Destination) -> str:
    if place.unit:
        return "Next: systemctl enable --now homey-tokend.socket homey-tokend.service"
    named = (
        ""
        if place.config in locate.candidates(os.environ)
        else f" -c {shlex.quote(str(place.config))}"
    )
    return f"Next: homey-tokend run{named}"
