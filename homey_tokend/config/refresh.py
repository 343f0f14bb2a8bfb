"""When a token is refreshed, and how: the section ``refresh``."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator

from homey_tokend.config.durations import LONGEST, format_span
from homey_tokend.config.fields import duration_schema, share_schema
from homey_tokend.config.readers import choice, leaf, share, spans
from homey_tokend.config.sections import MAPPING_OR_EMPTY, Section
from homey_tokend.config.words import invalid_value

# Why these bounds? Below them is a busy loop or a time-out that nothing can meet; beyond
# them a setting means "never", and is most likely a slip.
_FIRST = (timedelta(milliseconds=10), timedelta(hours=1))
_MAX = (timedelta(milliseconds=10), timedelta(hours=24))
_LIFETIME = (timedelta(seconds=1), LONGEST)
_VERIFY = (timedelta(seconds=1), LONGEST)
_TIMEOUT = (timedelta(milliseconds=100), timedelta(minutes=10))


class RetryConfig(Section):
    """Spacing of attempts, of a refresh and of each sink: exponential, with full jitter."""

    first: Annotated[timedelta, leaf(spans(*_FIRST)), WithJsonSchema(duration_schema(*_FIRST))] = (
        Field(
            default=timedelta(seconds=1),
            description="The longest wait before the second attempt. 10ms to 1h.",
            examples=["1s"],
        )
    )
    max: Annotated[timedelta, leaf(spans(*_MAX)), WithJsonSchema(duration_schema(*_MAX))] = Field(
        default=timedelta(minutes=5),
        description="What the waits grow to. 10ms to 24h, not below first.",
        examples=["5m"],
        validate_default=True,
    )

    @field_validator("max")
    @classmethod
    def _not_below_first(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        first = info.data.get("first", value)
        if value < first:
            raise invalid_value(
                f"{format_span(value)} is below first, which is {format_span(first)}",
                "Make max the larger one.",
            )
        return value


class RefreshConfig(Section):
    """When a token is refreshed, and how."""

    at: Annotated[float, leaf(share(zero=False)), WithJsonSchema(share_schema(zero=False))] = Field(
        default=0.5,
        description="Refresh when this share of the token's life is used. Above 0, at most 0.95.",
        examples=[0.5],
    )
    jitter: Annotated[float, leaf(share(zero=True)), WithJsonSchema(share_schema(zero=True))] = (
        Field(
            default=0.05,
            description="The moment is drawn once per token from [at - jitter, at]. Below at.",
            examples=[0.05],
            validate_default=True,
        )
    )
    lifetime: Annotated[
        timedelta, leaf(spans(*_LIFETIME)), WithJsonSchema(duration_schema(*_LIFETIME))
    ] = Field(
        default=timedelta(hours=24),
        description="The token's life where Homey does not tell its end. 1s to 365d.",
        examples=["24h"],
    )
    verify_every: Annotated[
        timedelta | None,
        leaf(spans(*_VERIFY, zero=True)),
        WithJsonSchema(duration_schema(*_VERIFY, zero=True)),
    ] = Field(
        default=timedelta(minutes=15),
        description="How often Homey is asked whether the token is still good. 1s to 365d; 0: never.",
        examples=["15m", 0],
    )
    retry: Annotated[RetryConfig, MAPPING_OR_EMPTY] = Field(
        default=RetryConfig(),
        description="Spacing of attempts. Retry-After is a lower bound, up to 1h.",
        examples=[{"first": "1s", "max": "5m"}],
    )
    timeout: Annotated[
        timedelta, leaf(spans(*_TIMEOUT)), WithJsonSchema(duration_schema(*_TIMEOUT))
    ] = Field(
        default=timedelta(seconds=30),
        description="How long one HTTP request may take. 100ms to 10m.",
        examples=["30s"],
    )
    method: Annotated[
        Literal["full", "refresh_token"],
        leaf(choice("full", "refresh_token")),
        WithJsonSchema({"enum": ["full", "refresh_token"]}),
    ] = Field(
        default="full",
        description="full: every step from the login on. refresh_token: the OAuth refresh token, "
        "with full as fallback.",
        examples=["full"],
    )

    @field_validator("jitter")
    @classmethod
    def _below_at(cls, value: float, info: ValidationInfo) -> float:
        at = info.data.get("at")
        if at is not None and value >= at:
            raise invalid_value(
                f"{value:g} is not below at, which is {at:g}", "Make jitter smaller than at."
            )
        return value
