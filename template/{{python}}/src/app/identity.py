"""Who asks: what the gateway found out, and the only place that reads it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

FORWARDED = ("authorization", "x-auth-subject", "x-auth-scopes")


@dataclass(frozen=True)
class Identity:
    """The caller; empty when nobody has logged in. `headers` go on to called services."""

    subject: str
    scopes: frozenset[str]
    headers: dict[str, str]


def read_identity(request: Request) -> Identity:
    """Trust the gateway's headers: it strips those that a client sends itself."""
    return Identity(
        subject=request.headers.get("x-auth-subject", ""),
        scopes=frozenset(request.headers.get("x-auth-scopes", "").split()),
        headers={name: request.headers[name] for name in FORWARDED if name in request.headers},
    )


Caller = Annotated[Identity, Depends(read_identity)]
