"""API keys of routes: made here, and stored as hashes in a file that git ignores.

A key is 64 hexadecimal digits, 256 random bits. The stored hash is SHA-1, the only one that Envoy's
`basic_auth` reads. SHA-1 is enough for 256 random bits, because no list of guesses contains them.
It is not enough for a password, so svcgen accepts none: it makes every key itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.files import locked, read_text, write_atomic
from svcgen.gateway.access import KeyWay, Name, Way
from svcgen.gateway.apply import KEYS_FILE as USERS_FILE
from svcgen.gateway.apply import replace_text
from svcgen.gateway.envoy.api_keys import keys_document
from svcgen.service import NAME_PATTERN, NAME_RULE
from svcgen.strict import StrictModel, Text, matching, read_strictly
from svcgen.workspace import STATE_FOLDER, state_folder

KEYS_FILE = "keys.json"
_LOCK_FILE = "keys.lock"
_BYTES = 32

# As `htpasswd -s` writes it. Envoy refuses the whole file for an entry of another form, and would
# then still accept a key that is revoked.
Hash = Annotated[Text, matching(r"^\{SHA\}[A-Za-z0-9+/]{27}=$", "must be a hash such as {SHA}…=")]


class Key(StrictModel):
    """A key as it is stored: what it is for, and the hash that proves it."""

    group: Name
    name: Name
    tier: Name | None = None
    added: Annotated[Text, Field(max_length=40)]
    hash: Hash

    @property
    def user(self) -> str:
        """The user name of HTTP's basic authentication; the service gets it as x-auth-subject.

        Names have no dot, so it has one reading, and no `:`, which would end it (RFC 7617).
        """
        return ".".join(filter(None, (self.group, self.tier, self.name)))

    def opens(self, ways: Iterable[Way]) -> bool:
        """Report whether a route with these ways accepts the key."""
        return any(
            isinstance(way, KeyWay) and way.key == self.group and way.tier in (None, self.tier)
            for way in ways
        )


class _Stored(StrictModel):
    keys: tuple[Key, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> _Stored:
        places = [(key.group, key.name) for key in self.keys]
        for group, name in places:
            if places.count((group, name)) > 1:
                raise ValueError(f"has the key {name} of {group} twice")
        return self


def hash_of(secret: str) -> str:
    """Return the hash of a key of 256 random bits, as an htpasswd file has it."""
    digest = hashlib.sha1(secret.encode(), usedforsecurity=False).digest()
    return "{SHA}" + base64.b64encode(digest).decode()


def new_secret() -> str:
    """Return a new key."""
    return secrets.token_hex(_BYTES)


def publish_keys(root: Path) -> bool:
    """Write the file of users that the gateways of this machine read; report whether it changed.

    Call it within `changing_keys`: an older list would make a revoked key valid again.
    """
    text = keys_document((key.user, key.hash) for key in read_keys(root))
    gateway = state_folder(root) / "gateway"
    gateway.mkdir(mode=0o700, exist_ok=True)
    path = gateway / USERS_FILE
    if read_text(path) == text:
        return False
    replace_text(path, text)
    return True


@contextmanager
def changing_keys(root: Path) -> Iterator[None]:
    """Hold the lock of the keys of a workspace: no other svcgen changes them at the same time."""
    with locked(state_folder(root) / _LOCK_FILE, create=True):
        yield


def read_keys(root: Path) -> tuple[Key, ...]:
    """Return the keys of a workspace, sorted by group and name.

    Raises SvcgenError for a file that svcgen has not written.
    """
    path = root / STATE_FOLDER / KEYS_FILE
    try:
        text = read_text(path)
        content = {"keys": []} if text is None else json.loads(text)
        keys = read_strictly(_Stored, content, str(path)).keys
    except (OSError, ValueError, SvcgenError) as error:
        problem = error.problem if isinstance(error, SvcgenError) else f"{error}."
        raise SvcgenError(
            f"The keys in {path} cannot be read: {problem}",
            "Restore the file. Without it no key is valid: delete it, then: svcgen up",
        ) from error
    return tuple(sorted(keys, key=lambda key: (key.group, key.name)))


def add_key(root: Path, group: str, name: str, tier: str | None = None) -> tuple[Key, str]:
    """Make and store a key; return it with the secret, which is not stored.

    Call it within `changing_keys`. Raises SvcgenError for a name that cannot be used or is used.
    """
    for kind, text in (("group", group), ("key", name), ("tier", tier)):
        if text is not None and not re.fullmatch(NAME_PATTERN, text):
            raise SvcgenError(f'"{text}" cannot be the name of a {kind}: it {NAME_RULE}.')
    keys = read_keys(root)
    if any((key.group, key.name) == (group, name) for key in keys):
        raise SvcgenError(
            f'The group "{group}" already has a key "{name}".',
            f"Choose another name: svcgen key add {group} {_unused(keys, group, name)}\n"
            f"Or revoke it first: svcgen key revoke {group} {name}",
        )
    secret, now = new_secret(), datetime.now(UTC).isoformat(timespec="seconds")
    key = Key(group=group, name=name, tier=tier, added=now, hash=hash_of(secret))
    _write(root, [*keys, key])
    return key, secret


def revoke_key(root: Path, group: str, name: str) -> Key:
    """Remove a key and return it.

    Call it within `changing_keys`. Raises SvcgenError with the nearest name for an unknown key.
    """
    keys = read_keys(root)
    for key in keys:
        if (key.group, key.name) == (group, name):
            _write(root, [other for other in keys if other != key])
            return key
    names = [key.name for key in keys if key.group == group]
    if not names:
        advice = did_you_mean(group, {key.group for key in keys}, "See all keys: svcgen key list")
        raise SvcgenError(f'There is no key of the group "{group}".', advice)
    advice = did_you_mean(name, names, f"See the keys of the group: svcgen key list {group}")
    raise SvcgenError(f'The group "{group}" has no key "{name}".', advice)


def wanted_keys(ways: Iterable[Way], keys: Sequence[Key]) -> tuple[KeyWay, ...]:
    """Return the groups and tiers of these ways that none of the keys has, sorted."""
    found = {way for way in ways if isinstance(way, KeyWay)}
    missing = (way for way in found if not any(key.opens([way]) for key in keys))
    return tuple(sorted(missing, key=str))


def _write(root: Path, keys: Iterable[Key]) -> None:
    stored = [key.model_dump(exclude_none=True) for key in keys]
    stored.sort(key=lambda key: (key["group"], key["name"]))
    text = json.dumps({"keys": stored}, indent=2) + "\n"
    write_atomic(state_folder(root) / KEYS_FILE, text, 0o600)


def _unused(keys: Iterable[Key], group: str, name: str) -> str:
    used = {key.name for key in keys if key.group == group}
    return next(
        each for number in range(2, len(used) + 3) if (each := f"{name}-{number}") not in used
    )
