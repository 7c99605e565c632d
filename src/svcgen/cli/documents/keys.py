"""Documents of `svcgen key`: add, list and revoke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from svcgen.commands.key import AddedKey, KeysResult
    from svcgen.gateway.keys import Key


@dataclass(frozen=True)
class ApiKey:
    """A key, without its secret."""

    group: Annotated[str, "Group that a route names in `auth: {key: GROUP}`."]
    name: Annotated[str, "Name of the key in its group."]
    tier: Annotated[str, "Tier of the key; empty without one."]
    user: Annotated[str, "User name of the caller; the service gets it as `x-auth-subject`."]
    added: Annotated[str, "When it was added, in UTC (RFC 3339)."]


@dataclass(frozen=True)
class KeyAddedDocument:
    """The key that `svcgen key add` made."""

    key: Annotated[ApiKey, "The new key."]
    secret: Annotated[str, "The key itself, which no later command prints."]
    url: Annotated[str, "Address of a route that accepts it; empty if there is none."]


def added_document(result: AddedKey) -> KeyAddedDocument:
    """Build the document of `svcgen key add`."""
    return KeyAddedDocument(_api_key(result.key), result.secret, result.url)


@dataclass(frozen=True)
class KeysDocument:
    """The keys of the workspace, or of one group."""

    keys: Annotated[tuple[ApiKey, ...], "Sorted by group and name."]


def keys_document(result: KeysResult) -> KeysDocument:
    """Build the document of `svcgen key list`."""
    return KeysDocument(tuple(map(_api_key, result.keys)))


@dataclass(frozen=True)
class KeyRevokedDocument:
    """The key that `svcgen key revoke` removed."""

    key: Annotated[ApiKey, "The key that is no longer accepted."]


def revoked_document(key: Key) -> KeyRevokedDocument:
    """Build the document of `svcgen key revoke`."""
    return KeyRevokedDocument(_api_key(key))


def _api_key(key: Key) -> ApiKey:
    return ApiKey(key.group, key.name, key.tier or "", key.user, key.added)
