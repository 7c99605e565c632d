"""`svcgen cert`: a CA of this workspace, and a certificate of it for the gateway."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from svcgen.certificates import (
    CertificateError,
    Pair,
    expiry,
    make_ca,
    make_certificate,
)
from svcgen.errors import SvcgenError
from svcgen.files import locked, read_text, write_atomic
from svcgen.gateway.tls import MADE
from svcgen.workspace import Workspace, state_folder

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
CA = f"{MADE}/ca.pem"
CA_KEY = f"{MADE}/ca-key.pem"
CERTIFICATE = f"{MADE}/gateway.pem"
KEY = f"{MADE}/gateway-key.pem"


@dataclass(frozen=True)
class CertResult:
    """A new certificate: its files, relative to the root, its hosts, and its end.

    svcgen.yaml names these files if `configured`; `port` is the gateway's.
    """

    root: Path
    ca: str
    certificate: str
    key: str
    hosts: tuple[str, ...]
    expires: dt.datetime
    new_ca: bool
    configured: bool
    port: int


def cert(workspace: Workspace, hosts: Sequence[str] = ()) -> CertResult:
    """Make a certificate for this machine's own names and `hosts`; make the CA where it is missing.

    Raises SvcgenError when the CA of an earlier run cannot be used.
    """
    root, names = workspace.root, tuple(dict.fromkeys((*LOCAL_HOSTS, *hosts)))
    state_folder(root)
    (root / MADE).mkdir(mode=0o700, exist_ok=True)
    with locked(root / MADE):
        ca, new_ca = _ca(root)
        try:
            made = make_certificate(ca, names)
        except CertificateError as error:
            file = CA_KEY if error.of_key else CA
            raise SvcgenError(
                f"{file}: the file {error}.", f"Make a new CA: rm -r {MADE}, then svcgen cert"
            ) from error
        write_atomic(root / KEY, made.key, 0o600)
        write_atomic(root / CERTIFICATE, made.certificate, 0o644)
    settings = workspace.settings.gateway
    return CertResult(
        root=root,
        ca=CA,
        certificate=CERTIFICATE,
        key=KEY,
        hosts=names,
        expires=expiry(made.certificate),
        new_ca=new_ca,
        configured=settings.tls is not None and settings.tls.certificate == CERTIFICATE,
        port=settings.port,
    )


def _ca(root: Path) -> tuple[Pair, bool]:
    """Return the CA, and whether it is new. Its key is written first: no CA is without one."""
    certificate = read_text(root / CA)
    if certificate is not None:
        return Pair(certificate, read_text(root / CA_KEY) or ""), False
    ca = make_ca(f"svcgen development CA of {root.name}")
    write_atomic(root / CA_KEY, ca.key, 0o600)
    write_atomic(root / CA, ca.certificate, 0o644)
    return ca, True
