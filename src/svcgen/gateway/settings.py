"""The gateway's own settings: the key `gateway` of svcgen.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from svcgen.gateway.quantities import SIZE_PATTERN, parse_duration, parse_size
from svcgen.gateway.registration import Duration
from svcgen.gateway.strict import StrictModel, Text

Size = Annotated[Text, Field(pattern=SIZE_PATTERN, examples=["1MiB"])]


def _some(text: str) -> str:
    if parse_size(text) == 0:
        raise ValueError("must be larger than nothing")
    return text


class GatewaySettings(StrictModel):
    """What holds for every route that does not say otherwise, and for the listener."""

    port: Annotated[
        int, Field(strict=True, ge=1, le=65535, description="Port of this machine.")
    ] = 8000
    timeout: Annotated[Duration, Field(description="Of a route that names none.")] = "10s"
    max_body: Annotated[
        Size, AfterValidator(_some), Field(description="Larger requests get 413.")
    ] = "1MiB"

    @property
    def timeout_ms(self) -> int:
        """Milliseconds until a route without a timeout of its own answers 504."""
        return parse_duration(self.timeout)

    @property
    def max_body_bytes(self) -> int:
        """Bytes of the largest request body that is let through."""
        return parse_size(self.max_body)
