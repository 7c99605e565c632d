"""The headers of a client that never reach a service.

A framework that believes them takes the client's word for who it is, or for the host, the path or
the method. `x-forwarded-for` stays: Envoy appends the address of the connection.
"""

from __future__ import annotations

from svcgen.gateway.envoy.xds import extension

# The identity that the gateway gives, and Envoy's own settings.
PREFIXES = ("x-auth-", "x-envoy-")
# The chart's HTTPRoute removes these, too.
NAMES = (
    *("forwarded", "remote-user", "x-forwarded-email", "x-forwarded-groups", "x-forwarded-host"),
    *("x-forwarded-prefix", "x-forwarded-user", "x-http-method", "x-http-method-override"),
    *("x-method-override", "x-original-url", "x-real-ip", "x-rewrite-url"),
)

# Envoy applies this before anything reads the headers.
STRIP_HEADERS = extension(
    "envoy.http.early_header_mutation.header_mutation",
    "http.early_header_mutation.header_mutation.v3.HeaderMutation",
    mutations=[
        *({"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in PREFIXES),
        *({"remove": name} for name in NAMES),
    ],
)
