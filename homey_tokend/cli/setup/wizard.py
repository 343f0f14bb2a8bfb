"""``homey-tokend init``: ask, sign in once, and write the first configuration."""

import argparse
import asyncio
import getpass
import io
import os
import shlex
import sys
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from homey_tokend import __version__, exit_codes
from homey_tokend.cli import bootstrap
from homey_tokend.cli.online_check import StepPrinter
from homey_tokend.cli.setup.destination import Destination, find_destination
from homey_tokend.cli.setup.draft import Draft
from homey_tokend.cli.setup.prompts import Prompts, Validator
from homey_tokend.cli.setup.session import SetupSession
from homey_tokend.client.errors import ClientError
from homey_tokend.config import Config, locate, parse
from homey_tokend.config.environment import DAEMON_VARIABLES
from homey_tokend.core import totp
from homey_tokend.core.errors import (
    ConfigurationInvalid,
    HomeyOffline,
    TokendError,
    Unreachable,
)
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.timefmt import rough_duration
from homey_tokend.core.value_text import defect, doubt
from homey_tokend.http.transport import HttpTransport
from homey_tokend.hub.variables import same_name
from homey_tokend.runtime import hardening

_CLIENTS_URL = "https://tools.developer.homey.app/api/projects"
_CLOUDIDS_URL = "https://tools.developer.homey.app/tools/system"
_VARIABLE = "accesstoken"
_NO_VARIABLE = "-"

T = TypeVar("T")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="the file to write (default: see docs/install.md)"
    )
    parser.epilog = (
        "It asks for the account and the API client, sends the password once, lists the Homeys\n"
        "of the account and the text variables of the one you choose, and writes the\n"
        "configuration and a file for each secret. It overwrites nothing, and writes nothing\n"
        "before the whole sign-in has succeeded.\n"
        "To try it on a simulated cloud, see docs/simulator.md.\n\n"
        "example:\n  homey-tokend init\n"
    )


def run(args: argparse.Namespace) -> int:
    """Ask, sign in and write.

    Raises:
        ClientError: The configuration exists or cannot be written, the input ends, or the
            sign-in fails.
        ConfigurationInvalid: The endpoints in the environment are invalid.
    """
    hardening.harden()
    destination = find_destination(args.config, os.environ)
    destination.require_free()
    source, output = sys.stdin or io.StringIO(), sys.stderr or io.StringIO()
    prompts = Prompts(source, output, _read_hidden if source.isatty() else None)
    return _Wizard(destination, prompts).run()


def _read_hidden(prompt: str) -> str:
    return getpass.getpass(prompt, sys.stderr)


class _Wizard:
    def __init__(self, destination: Destination, prompts: Prompts) -> None:
        self._destination = destination
        self._prompts = prompts
        self._secrets: dict[str, str] = {}
        #: A valid configuration; each answer is checked in its place.
        self._sample = Draft(
            email="you@example.com",
            client_id="your-client-id",
            redirect_url="http://localhost",
            secrets={key: destination.reference(key) for key in ("password", "client_secret")},
            cloudid="your-cloudid",
            endpoints=_endpoints(),
        )

    def run(self) -> int:
        say = self._prompts.say
        self._parse(self._sample)
        say(
            f"This asks for the values that the daemon signs in with, tries them once, and writes\n"
            f"{self._destination.config}. You need an API client of your own; create it at\n"
            f"{_CLIENTS_URL}.\n"
        )
        draft = self._ask_account()
        config = self._parse(draft)
        with bootstrap.logging_session(config) as started:
            runtime = started.runtime
            transport = HttpTransport(
                runtime.clock,
                timeout=config.refresh.timeout,
                environ=runtime.environ,
                user_agent=f"homey-tokend/{__version__}",
            )
            session = SetupSession(
                self._credentials(draft),
                transport,
                endpoints=config.endpoints,
                lifetime=config.refresh.lifetime,
                clock=runtime.clock,
                register_secret=runtime.register_secret,
                on_response=StepPrinter(say).on_response,
            )
            with asyncio.Runner() as self._runner:
                try:
                    try:
                        draft = self._complete(draft, session)
                    except TokendError as error:
                        raise _sign_in_failed(error) from error
                    for path in self._destination.write(draft.text(), self._secrets):
                        say(f"Written: {path}")
                    if "totp_secret" in self._secrets:
                        say("Waiting for the next one-time code, at most half a minute…")
                        self._await(session.wait_for_next_code())
                finally:
                    self._await(transport.close())
        say(_next_steps(self._destination))
        return exit_codes.OK

    def _await(self, step: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(step)
        except asyncio.CancelledError:
            # A Ctrl-C just as a run begins cancels it and raises nothing else.
            raise KeyboardInterrupt from None

    def _ask_account(self) -> Draft:
        ask, secret = self._prompts.ask, self._prompts.secret
        email = ask("E-mail address of the Athom account", validate=self._valid("email"))
        self._secrets["password"] = secret("Password", _valid_secret("password"))
        if words := doubt(self._secrets["password"]):
            self._prompts.say(f"Note: the password {words[0]}. {words[1]}")
        one_time = secret(
            "Base32 secret for two-factor authentication (Enter if it is off)",
            lambda text: (
                ""
                if totp.normalize_secret(text)
                else "It must be base32 text of 16 characters or more."
            ),
            required=False,
        )
        client_id = ask("Client ID", validate=self._valid("client_id"))
        self._secrets["client_secret"] = secret("Client secret", _valid_secret("client_secret"))
        if one_time:
            self._secrets["totp_secret"] = one_time
        redirect_url = ask(
            "Callback URL of the client", self._sample.redirect_url, self._valid("redirect_url")
        )
        return replace(
            self._sample,
            email=email,
            client_id=client_id,
            redirect_url=redirect_url,
            secrets={key: self._destination.reference(key) for key in self._secrets},
        )

    def _valid(self, field: str) -> Validator:
        """Return a check of an answer as this field of the configuration."""

        def validate(answer: str) -> str:
            values: dict[str, Any] = {field: answer}
            try:
                self._parse(replace(self._sample, **values))
            except ConfigurationInvalid as error:
                fault = error.faults[0]
                return f"{fault.message}. {fault.remedy}"
            return ""

        return validate

    def _credentials(self, draft: Draft) -> Credentials:
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

    def _complete(self, draft: Draft, session: SetupSession) -> Draft:
        """Sign in, with questions for the Homey and the variable in between."""
        self._await(session.log_in())
        cloudid, name = self._pick_homey(self._await(session.homeys()))
        session.pick(cloudid)
        variable = self._ask_variable(self._find_variables(session))
        return replace(draft, cloudid=cloudid, homey_name=name, variable=variable)

    def _pick_homey(self, homeys: dict[str, str]) -> tuple[str, str]:
        """Return the cloudid and the name ("" where unknown)."""
        if not homeys:
            self._prompts.say(
                f"Athom does not list the Homeys of this account. See {_CLOUDIDS_URL}"
            )
            return self._prompts.ask("Cloudid of the Homey", validate=self._valid("cloudid")), ""
        self._prompts.say("The Homeys of this account:")
        options = [f"{name or 'unnamed'} ({key})" for key, name in homeys.items()]
        return list(homeys.items())[self._prompts.choose("Which one?", options)]

    def _find_variables(self, session: SetupSession) -> dict[str, bool] | None:
        """Return the Homey's variables, and whether each is a text; None if not accessible.

        Raises:
            TokendError: The Homey gives no token.
        """
        prompts = self._prompts
        try:
            bearer = self._await(session.bearer())
        except HomeyOffline as error:
            prompts.say(f"{error.message}. {error.remedy}")
            if not self._confirm("Write the configuration anyway?"):
                raise
            return {}
        lifetime = rough_duration(bearer.expires_at - bearer.issued_at)
        prompts.say(f"The Homey gave a token, valid for {lifetime}.")
        try:
            return self._await(session.variables(bearer))
        except TokendError as error:
            prompts.say(f"The logic variables of the Homey are not accessible: {error.message}")
            prompts.say(error.remedy or "The daemon still serves the token on its socket.")
            return None

    def _ask_variable(self, known: dict[str, bool] | None) -> str:
        """Return the name of the logic variable to write, or ""."""
        if known is None:
            return ""
        texts = ", ".join(name for name, is_text in known.items() if is_text)
        self._prompts.say(f"Text variables of the Homey: {texts or 'none known'}")
        self._prompts.say(
            "Every user and app that may read logic variables can read the token in one."
        )
        valid = self._valid("variable")

        def validate(answer: str) -> str:
            if any(same_name(name, answer) and not is_text for name, is_text in known.items()):
                return f"{answer} is not a text variable; the token needs one."
            return "" if answer == _NO_VARIABLE else valid(answer)

        while True:
            answer = self._prompts.ask(
                f"Name of the variable for the token (created if missing; {_NO_VARIABLE} for none)",
                _VARIABLE,
                validate,
            )
            # A number is most likely meant as the place in the list.
            meant = not answer.isdecimal() or any(same_name(name, answer) for name in known)
            if meant or self._confirm(f"No variable is named '{answer}'; create it?"):
                return "" if answer == _NO_VARIABLE else answer

    def _confirm(self, question: str) -> bool:
        return self._prompts.ask(f"{question} y or n", "n").lower() in {"y", "yes"}

    def _parse(self, draft: Draft) -> Config:
        """Parse the configuration as far as it is known.

        Raises:
            ConfigurationInvalid: An answer is invalid.
        """
        config = parse(
            draft.text().encode(),
            str(self._destination.config),
            defaults=locate.default_paths(os.environ),
            environ={},
        )
        return replace(config, log=config.log.model_copy(update={"level": "warning"}))


def _sign_in_failed(error: TokendError) -> ClientError:
    again = "Nothing was written; run homey-tokend init again."
    if isinstance(error, Unreachable) and not error.remedy:
        again = "Check the network and DNS, then run homey-tokend init again; nothing was written."
    hint = f"{error.remedy}\n{again}".lstrip()
    return ClientError(error.message, exit_codes.for_kind(error.kind), hint)


def _valid_secret(key: str) -> Validator:
    """Return a check of a secret for what can only be an accident."""

    def validate(answer: str) -> str:
        words = defect(answer, key)
        return f"The answer {words[0]}. {words[1]}" if words else ""

    return validate


def _endpoints() -> dict[str, str]:
    """Return the endpoints that the environment sets, such as a simulator's."""
    found = {path: os.environ.get(name) for name, path in DAEMON_VARIABLES.items()}
    return {key: url for (section, key), url in found.items() if section == "endpoints" and url}


def _next_steps(destination: Destination) -> str:
    config = destination.config
    if destination.unit:
        return "Next: systemctl enable --now homey-tokend.socket homey-tokend.service"
    found = config in locate.candidates(os.environ)
    return "Next: homey-tokend run" + ("" if found else f" -c {shlex.quote(str(config))}")
