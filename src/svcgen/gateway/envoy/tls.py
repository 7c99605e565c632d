"""HTTPS at the edge: the listener names a file that has the certificate and the key together.

Envoy reads the file again when it is replaced. New connections then get the new certificate, and
open ones stay: the listener does not change.
"""

from __future__ import annotations

from pathlib import Path

from svcgen.certificates import Pair
from svcgen.gateway.envoy.xds import EXTENSIONS, Values, document, extension

FOLDER = "tls"  # of that file, below .svcgen/
SECRET_FILE = "tls.json"  # noqa: S105 (a file's name)
SECRET = "edge"  # noqa: S105 (the name that Envoy knows it by)


def tls_chain(secret_file: Path) -> Values:
    """Return the keys of a filter chain that make it TLS."""
    source = {"path_config_source": {"path": str(secret_file)}, "resource_api_version": "V3"}
    context = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificate_sds_secret_configs": [{"name": SECRET, "sds_config": source}],
    }
    kind = "transport_sockets.tls.v3.DownstreamTlsContext"
    socket = extension("envoy.transport_sockets.tls", kind, common_tls_context=context)
    return {
        "transport_socket": socket,
        # Without it a client that never ends its handshake holds its connection for ever.
        "transport_socket_connect_timeout": "10s",
    }


def secret(pair: Pair) -> str:
    """Return the text of the file: one file, so that certificate and key change together."""
    certificate = {
        "certificate_chain": {"inline_string": pair.certificate},
        "private_key": {"inline_string": pair.key},
    }
    kind = f"{EXTENSIONS}.transport_sockets.tls.v3.Secret"
    return document(
        {"resources": [{"@type": kind, "name": SECRET, "tls_certificate": certificate}]}
    )
