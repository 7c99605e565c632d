"""The key `gateway` of svcgen.yaml: its port, TLS, issuers, and limits of routes that set none."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from svcgen.issuer_settings import IssuerName, IssuerSettings
from svcgen.strict import StrictModel, Text, Timeout, matching, without_numbers
from svcgen.units import SIZE_EXAMPLES, SIZE_PATTERN, parse_duration, parse_size

MOST_BODY = "1GiB"
MOST_STREAM = "1024GiB"


def _at_most(most: str) -> AfterValidator:
    def check(text: str) -> str:
        if parse_size(text) == 0:
            raise ValueError("must be larger than 0")
        if parse_size(text) > parse_size(most):
            raise ValueError(f"must be at most {most}")
        return text

    return AfterValidator(check)


_SIZE_RULE = f"must be a size such as {SIZE_EXAMPLES}"

_AnySize = Annotated[
    Text,
    matching(SIZE_PATTERN, _SIZE_RULE, "1MiB"),
    without_numbers(lambda number: f"{_SIZE_RULE}, but is {number}: write its unit"),
]
Size = Annotated[_AnySize, _at_most(MOST_BODY)]
StreamSize = Annotated[_AnySize, _at_most(MOST_STREAM)]


_MOST_PROXIES = 10
_PROXIES = (
    "must be the number of proxies in front of the gateway, from 0 to 10, or a list of their "
    "addresses such as [10.0.0.0/8]"
)


def _proxies(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | list | tuple):
        raise ValueError(f"{_PROXIES}, but is {value!r}")  # noqa: TRY004 (pydantic shows no other error)
    if isinstance(value, int):
        if not 0 <= value <= _MOST_PROXIES:
            raise ValueError(f"{_PROXIES}, but is {value}")
        return value
    return tuple(map(_network, value))


def _network(text: object) -> str:
    try:
        if not isinstance(text, str):
            raise ValueError("is not text")  # noqa: TRY004, TRY301
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{_PROXIES}, but has {text!r}: {error}") from error
    if network.prefixlen == 0:
        raise ValueError(f"must not have {text}: every client could then choose its address")
    return str(network)


class TlsSettings(StrictModel):
    """The key `gateway.tls`: what the gateway shows to clients that speak HTTPS."""

    certificate: Annotated[
        Text, Field(min_length=1, description="PEM, with intermediates; path from this file.")
    ]
    key: Annotated[Text, Field(min_length=1, description="Its private key in PEM.")]


# The connection's own, and what no setting may give to every response.
_NOT_SETTABLE = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "date", "host"),
        *("keep-alive", "location", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)


def _settable(name: str) -> str:
    if name in _NOT_SETTABLE:
        raise ValueError(f"must not contain {name}: each response has its own")
    return name


ResponseHeader = Annotated[
    Text,
    matching(r"^[a-z][a-z0-9-]*$", "must be a header's name in lower case", "x-frame-options"),
    AfterValidator(_settable),
]
HeaderValue = Annotated[
    Text,
    matching(r"^[!-~](?:[ -~]*[!-~])?$", "must be visible ASCII, with spaces only inside"),
    Field(max_length=1024),
]


class GatewaySettings(StrictModel):
    """The key `gateway`: the port, and the limits of routes that set none."""

    port: Annotated[
        int, Field(strict=True, ge=1, le=65535, description="Port of this machine.")
    ] = 8000
    timeout: Annotated[Timeout, Field(description="Of a route that sets none.")] = "10s"
    max_body: Annotated[Size, Field(description="Larger requests get 413.")] = "1MiB"

    trusted_proxies: Annotated[
        int | tuple[str, ...],
        BeforeValidator(_proxies),
        Field(description="Whose X-Forwarded-For names the client: how many, or their addresses."),
    ] = 0
    proxy_protocol: Annotated[
        bool, Field(strict=True, description="Whether a load balancer names clients by PROXY.")
    ] = False
    tls: Annotated[TlsSettings | None, Field(description="With it, `port` is HTTPS only.")] = None
    http_port: Annotated[
        int | None,
        Field(strict=True, ge=1, le=65535, description="With `tls`: redirects to HTTPS."),
    ] = None
    response_headers: Annotated[
        dict[ResponseHeader, HeaderValue | None],
        Field(
            max_length=50,
            description="Where the service sets none; null: not the gateway's either.",
        ),
    ] = Field(default_factory=dict)

    claims: Annotated[
        dict[Text, tuple[Text, ...]],
        Field(description="Paths below the prefix of another service, by the service they reach."),
    ] = Field(default_factory=dict)

    unrouted: Annotated[
        dict[Text, tuple[Text, ...]],
        Field(description="Operations without a route, by service: `DELETE /v1/orders/*`."),
    ] = Field(default_factory=dict)

    issuers: Annotated[
        dict[IssuerName, IssuerSettings],
        Field(description="Whose tokens the gateway accepts, by the name that routes use."),
    ] = Field(default_factory=dict)
    development_issuer: Annotated[
        bool, Field(strict=True, description="Accept tokens of `svcgen token` on this machine.")
    ] = True

    @model_validator(mode="after")
    def _one_source_of_addresses(self) -> Self:
        if self.proxy_protocol and self.trusted_proxies:
            raise ValueError("has trusted_proxies and proxy_protocol: remove one of them")
        return self

    @model_validator(mode="after")
    def _redirect_fits(self) -> Self:
        if self.http_port is not None and self.tls is None:
            raise ValueError("has http_port, which redirects to HTTPS, but no tls")
        if self.http_port == self.port:
            raise ValueError("has one number for port and http_port")
        return self

    def url(self, port: int) -> str:
        """Return where clients of this machine reach the gateway."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"

    @property
    def timeout_ms(self) -> int:
        """Milliseconds until a route without its own timeout answers 504."""
        return parse_duration(self.timeout)

    @property
    def max_body_bytes(self) -> int:
        """Bytes of the largest request body that the gateway passes on."""
        return parse_size(self.max_body)
