"""The headers that the gateway adds to responses where the service sets none.

They belong to the routes: a change reaches every open connection. There is no
`content-security-policy`: its `frame-ancestors` would take precedence over the `x-frame-options`
of a service.
"""

from __future__ import annotations

from svcgen.gateway.envoy.xds import Values
from svcgen.gateway_settings import GatewaySettings

DEFAULTS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}
HSTS = "strict-transport-security"
MAX_AGE = "max-age=31536000"  # a year

# RFC 6797 knows no ports. For `localhost` it would turn off the HTTP of every other program there.
# Envoy adds no header whose value is empty.
_LOCAL = r"request.host.matches('^([^:]+[.])?localhost(:[0-9]+)?$')"
HSTS_VALUE = f"%CEL({_LOCAL} ? '' : '{MAX_AGE}')%"


def response_headers(settings: GatewaySettings) -> Values:
    """Return the keys of a route configuration that add the headers."""
    defaults = {**DEFAULTS, HSTS: HSTS_VALUE}
    given = {
        name: value and value.replace("%", "%%")
        for name, value in settings.response_headers.items()
    }
    wanted = {
        name: value
        for name, value in {**defaults, **given}.items()
        if value and (settings.tls or name != HSTS)
    }
    added = [
        {"header": {"key": name, "value": value}, "append_action": "ADD_IF_ABSENT"}
        for name, value in wanted.items()
    ]
    return {"response_headers_to_add": added} if added else {}
