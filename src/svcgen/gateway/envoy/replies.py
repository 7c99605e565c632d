"""The gateway's own responses as RFC 9457 problems; a service's responses pass unchanged."""

from __future__ import annotations

from svcgen.gateway.envoy.access_replies import refusals
from svcgen.gateway.envoy.external import ADDRESS_REFUSED
from svcgen.gateway.envoy.xds import Values

# Title is the status' phrase (RFC 9110, section 15), as RFC 9457 asks for type about:blank.
PROBLEMS = {
    400: ("Bad Request", "The gateway cannot read this request."),
    401: ("Unauthorized", "The request has no credentials that this route accepts."),
    403: ("Forbidden", "The gateway does not let this request through."),
    404: ("Not Found", "No route claims this path."),
    405: ("Method Not Allowed", "No route on this path takes this method."),
    408: ("Request Timeout", "The request timed out."),
    413: ("Content Too Large", "The request's body is larger than the gateway lets through."),
    426: ("Upgrade Required", "The gateway speaks HTTP/1.1 and HTTP/2."),
    429: ("Too Many Requests", "A rate limit of the route does not let this caller through now."),
    431: ("Request Header Fields Too Large", "The request's header fields are too large."),
    500: ("Internal Server Error", "The gateway failed."),
    502: ("Bad Gateway", "The service's answer cannot be read."),
    503: ("Service Unavailable", "The gateway cannot get an answer from the service now."),
    504: ("Gateway Timeout", "The service did not answer in time."),
}
# Why it is 503, by Envoy's response flags
# (https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage), and
# after how many seconds the client may try again. A retry beyond the retry budget has UO, too, so
# the failed connection comes first.
UNAVAILABLE = {
    ("UF", "UC", "UR", "LR"): ("The connection to the service failed.", 1),
    ("UO",): ("The gateway already has as many requests for the service as it takes.", 1),
    ("UH",): ("No replica of the service is ready.", 5),
    ("NC",): ("The gateway does not know the service yet.", 5),
    ("OM",): ("The gateway is out of memory.", 5),
}
ADDRESS = "The gateway sends no request to the address of the external service."
# A call to a service that is not checked out; `svcgen up` names it.
ABSENT = "The called service is not in this workspace. `external` in svcgen.yaml can give its URL."


def problem_replies() -> Values:
    """Return the listener's `local_reply_config`."""
    ready = {"json_format": {"status": "ready"}, "content_type": "application/json"}
    problems = [_mapper(_is(status), _problem(*texts)) for status, texts in PROBLEMS.items()]
    address = _mapper(ADDRESS_REFUSED, _problem(PROBLEMS[403][0], ADDRESS))
    return {
        "mappers": [_mapper(_is(200), ready), address, *_refused(), *_unavailable(), *problems],
        "body_format": _problem("%RESPONSE_CODE_DETAILS%", "The gateway answered by itself."),
    }


def absent_reply() -> Values:
    """Return the `local_reply_config` of a listener for services that are not here."""
    title = PROBLEMS[503][0]
    return {"body_format": _problem(title, ABSENT)}


def _refused() -> list[Values]:
    return [
        {
            **_mapper(filtered, _problem(PROBLEMS[refusal.status][0], refusal.detail)),
            "status_code": refusal.status,
            "headers_to_add": refusal.headers,
        }
        for filtered, refusal in refusals()
    ]


def _unavailable() -> list[Values]:
    title = PROBLEMS[503][0]
    return [
        {
            **_mapper(
                {"and_filter": {"filters": [_is(503), {"response_flag_filter": {"flags": flags}}]}},
                _problem(title, detail),
            ),
            "headers_to_add": [{"header": {"key": "retry-after", "value": str(seconds)}}],
        }
        for flags, (detail, seconds) in UNAVAILABLE.items()
    ]


def _mapper(filtered: Values, body_format: Values) -> Values:
    return {"filter": filtered, "body_format_override": body_format}


def _is(status: int) -> Values:
    value = {"default_value": status, "runtime_key": "gateway.unused"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _problem(title: str, detail: str) -> Values:
    return {
        "json_format": {
            "type": "about:blank",
            "title": title,
            "status": "%RESPONSE_CODE%",
            "detail": detail,
            "request_id": "%REQUEST_HEADER(X-REQUEST-ID)%",
        },
        "content_type": "application/problem+json",
    }
