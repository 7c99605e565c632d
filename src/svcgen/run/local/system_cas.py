"""The file with the CA certificates that programs of this machine trust."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.settings import SETTINGS_FILE

VARIABLE = "SSL_CERT_FILE"  # of OpenSSL, and of most programs after it
# Debian and Ubuntu, Fedora and its relatives, openSUSE, and macOS and Alpine.
FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def system_cas(environment: Mapping[str, str]) -> Path:
    """Return the file; raise SvcgenError when there is none."""
    own = environment.get(VARIABLE, "")
    found = next((path for path in map(Path, [own] if own else FILES) if path.is_file()), None)
    if found is None:
        problem = f"{VARIABLE} is {own}, which is not a file." if own else "No file was found."
        raise SvcgenError(
            f"The gateway needs CA certificates to verify an external service. {problem}",
            f"Install the package ca-certificates, set {VARIABLE}, or set the key `tls.ca` of the "
            f"entry in {SETTINGS_FILE}.",
        )
    return found.absolute()
