"""The registration of a service at the gateway: `chart/registration.yaml`, read strictly.

docs/registration.md explains every key; docs/registration.schema.json is made from these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from svcgen.gateway.access import Auth, Name
from svcgen.gateway.limits import Cors, RateLimits
from svcgen.gateway.paths import SEGMENT_CHARACTERS, path_problem
from svcgen.gateway_settings import MOST_BODY, StreamSize
from svcgen.settings import SETTINGS_FILE
from svcgen.strict import Duration, StrictModel, Text, Timeout, matching, read_strictly, within
from svcgen.units import parse_duration, parse_size
from svcgen.yaml_files import read_yaml

LONGEST = 1024  # characters of a path
LONGER = "is longer than the timeout,"
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


# RFC 3986, sections 3.3 and 3.4: Envoy refuses all of its clusters for a control character in one.
HealthPath = Annotated[
    Text,
    matching(rf"^/[{SEGMENT_CHARACTERS}/%?]*$", "must be a path such as /readyz", "/readyz"),
    Field(max_length=LONGEST),
]
Printable = Annotated[
    Text, matching(r"^[!-~]+$", "must be ASCII without spaces"), Field(max_length=LONGEST)
]

UsedOperation = Annotated[
    Text,
    matching(
        r"^([A-Za-z0-9_.-]+|[A-Z]+ /[!-~]*)$",
        "must be an operationId, or a method and a path",
        "getItem or GET /v1/orders/{id}",
    ),
    Field(max_length=LONGEST),
]


IdleTimeout = Annotated[Duration, within("1s", "24h")]


class Health(StrictModel):
    """How the gateway asks a replica whether it is ready."""

    http: Annotated[HealthPath | None, Field(description="Path that answers 200 when ready.")] = (
        None
    )
    grpc: Annotated[
        Printable | None, Field(description="gRPC health service; a later version.")
    ] = None
    interval: Annotated[
        Duration, within("100ms", "1m"), Field(description="Time between two questions.")
    ] = "1s"


class Upstream(StrictModel):
    """Where and how the service listens."""

    port: Annotated[
        int, Field(strict=True, ge=1, le=65535, description="Port in the container.")
    ] = 8080
    protocol: Annotated[
        Literal["http", "h2c", "grpc"], Field(description="h2c and grpc: a later version.")
    ] = "http"
    health: Health = Health()


class Retry(StrictModel):
    """How often the gateway tries again, within the route's timeout and the retry budget."""

    attempts: Annotated[
        int, Field(strict=True, ge=0, le=5, description="Tries after the first; 0 for none.")
    ] = 2
    per_try: Annotated[
        Timeout | None, Field(description="Longest time of one try; absent: the route's timeout.")
    ] = None

    def outlasts(self, timeout: str) -> bool:
        """Report whether one try may take longer than a timeout."""
        return self.per_try is not None and parse_duration(self.per_try) > parse_duration(timeout)


class Transcode(StrictModel):
    """REST in front of gRPC; a later version."""

    descriptor: Printable
    service: Printable


class RouteEntry(StrictModel):
    """One path of a service: who may call it, and how long it may take."""

    path: Annotated[
        Text | None,
        Field(max_length=LONGEST, description="Prefix of whole segments: /a covers /a and /a/b."),
    ] = None
    exact: Annotated[Text | None, Field(max_length=LONGEST, description="This one path.")] = None
    regex: Annotated[Printable | None, Field(description="A later version.")] = None
    grpc: Annotated[Printable | None, Field(description="A gRPC service; a later version.")] = None
    methods: Annotated[
        tuple[Method, ...],
        Field(
            min_length=1,
            description="Absent: all. GET brings HEAD; OPTIONS always passes to the service.",
        ),
    ] = ()
    auth: Annotated[Auth, Field(description="Mandatory. `none` opens the route to everyone.")]
    weaker: Annotated[
        Text | None,
        Field(min_length=1, max_length=LONGEST, description="Why it asks for less than another."),
    ] = None
    expose: Annotated[
        Literal["gateway", "internal"],
        Field(description="gateway: reached from outside; internal: by other services only."),
    ] = "gateway"
    timeout: Annotated[
        Timeout | None, Field(description="Longest time until the whole answer; default 10s.")
    ] = None
    retry: Annotated[Retry, Field(description="Idempotent methods only (RFC 9110, 9.2.2).")] = (
        Retry()
    )
    rate_limit: RateLimits = ()
    cors: Cors | None = None
    max_body: Annotated[
        StreamSize | None, Field(description="Larger requests get 413; default: gateway.max_body.")
    ] = None
    stream: Annotated[
        bool,
        Field(
            strict=True,
            description="Bodies pass piece by piece, as long as they take; WebSocket is possible.",
        ),
    ] = False
    idle_timeout: Annotated[
        IdleTimeout | None,
        Field(description="Of a stream: longest time without a byte; default 5m."),
    ] = None
    transcode: Transcode | None = None

    @model_validator(mode="after")
    def _one_path(self) -> RouteEntry:
        keys = ("path", "exact", "regex", "grpc")
        if sum(getattr(self, key) is not None for key in keys) != 1:
            raise ValueError("needs exactly one of path and exact, for example path: /v1/orders")
        for key in ("path", "exact"):
            value = getattr(self, key)
            problem = value is not None and path_problem(value, prefix=key == "path")
            if problem:
                raise ValueError(f"{key} {value!r} {problem}")
        if self.timeout and self.retry.outlasts(self.timeout):
            raise ValueError(f"retry.per_try {self.retry.per_try} {LONGER} {self.timeout}")
        return self

    @model_validator(mode="after")
    def _enforceable(self) -> RouteEntry:
        """Refuse keys that the gateway would ignore on this route."""
        written = self.model_fields_set
        if self.stream:
            for key in ("timeout", "retry"):
                if key in written:
                    raise ValueError(f"has `{key}`, which a stream cannot have: remove it")
        elif self.idle_timeout:
            raise ValueError("has `idle_timeout`, which needs `stream: true`")
        elif self.max_body and parse_size(self.max_body) > parse_size(MOST_BODY):
            raise ValueError(f"has a max_body above {MOST_BODY}, which needs `stream: true`")
        if self.expose == "internal":
            for key in ("rate_limit", "cors", "max_body", "stream"):
                if key in written:
                    raise ValueError(
                        f"has `{key}`, which only the gateway's own listener applies: remove it "
                        "from a route with `expose: internal`"
                    )
        if self.auth == "none" and any(limit.needs_auth for limit in self.rate_limit):
            raise ValueError(
                "has a rate_limit by subject or tier, but `auth: none` knows neither: write "
                "`by: client_ip`"
            )
        return self


class Registration(StrictModel):
    """Facts of run time of one service: its routes, what it calls, how it is asked for health."""

    api_version: Annotated[Literal["svcgen.dev/v1"], Field(alias="apiVersion")]
    service: Annotated[Name, Field(description="The service's name, as in its answers file.")]
    calls: Annotated[tuple[Name, ...], Field(description="Names of the services it calls.")] = ()
    uses: Annotated[
        dict[Name, Annotated[tuple[UsedOperation, ...], Field(min_length=1)]],
        Field(description="Operations that it uses of a called service; absent: all of its copy."),
    ] = Field(default_factory=dict)
    upstream: Upstream = Upstream()
    routes: Annotated[
        dict[Name, RouteEntry], Field(description="By name, which the chart uses too.")
    ] = Field(default_factory=dict)

    @property
    def host_header(self) -> str:
        """The Host header that its requests get; empty for the one that the client sent."""
        return ""

    @model_validator(mode="after")
    def _uses_what_it_calls(self) -> Registration:
        for name in self.uses:
            if name not in self.calls:
                raise ValueError(f'uses names "{name}", which `calls` does not name')
        return self


def read_registration(
    path: Path, overlay: Mapping[str, Any] | None = None, shown: str = ""
) -> Registration:
    """Read the registration of one service; `overlay` is merged over it, key by key.

    `shown` is what messages call the file; default: its path.

    Raises StrictError, which has file, key and the nearest known key of every fault.
    """
    content = read_yaml(path)
    service = content.get("service") if isinstance(content, dict) else ""
    overlay_source = f"{SETTINGS_FILE} (services.{service})"
    return read_strictly(Registration, content, shown or str(path), overlay, overlay_source)
