"""The document of the command about the gateway's certificate: cert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from svcgen.commands.cert import CertResult


@dataclass(frozen=True)
class CertDocument:
    """A certificate that `svcgen cert` made."""

    root: Annotated[str, "Absolute path of the workspace."]
    ca: Annotated[str, "File of the CA's certificate, relative to the workspace."]
    certificate: Annotated[str, "File of the certificate."]
    key: Annotated[str, "File of its private key."]
    hosts: Annotated[tuple[str, ...], "Host names and addresses of the certificate."]
    expires: Annotated[str, "When the certificate ends: RFC 3339, UTC."]
    new_ca: Annotated[bool, "Whether the CA is new: clients must trust it."]
    configured: Annotated[bool, "Whether svcgen.yaml names the certificate."]


def cert_document(result: CertResult) -> CertDocument:
    """Build the document of `svcgen cert`."""
    return CertDocument(
        root=str(result.root),
        ca=result.ca,
        certificate=result.certificate,
        key=result.key,
        hosts=result.hosts,
        expires=f"{result.expires:%Y-%m-%dT%H:%M:%SZ}",
        new_ca=result.new_ca,
        configured=result.configured,
    )
