"""The gateway's own responses as RFC 9457 problems; a service's responses pass unchanged."""

from __future__ import annotations

from svcgen.gateway.envoy.xds import Values

# Title is the status' phrase (RFC 9110, section 15), as RFC 9457 asks for type about:blank.
PROBLEMS = {
    400: ("Bad Request", "The gateway cannot read this request."),
    403: ("Forbidden", "The gateway does not let this request through."),
    404: ("Not Found", "No route claims this path."),
    405: ("Method Not Allowed", "No route on this path takes this method."),
    408: ("Request Timeout", "The request timed out."),
    413: ("Content Too Large", "The request's body is larger than the gateway lets through."),
    426: ("Upgrade Required", "The gateway speaks HTTP/1.1 and HTTP/2."),
    431: ("Request Header Fields Too Large", "The request's header fields are too large."),
    500: ("Internal Server Error", "The gateway failed."),
    502: ("Bad Gateway", "The service's answer cannot be read."),
    503: ("Service Unavailable", "No replica of the service can answer now."),
    504: ("Gateway Timeout", "The service did not answer in time."),
}


def problem_replies() -> Values:
    """Return the listener's `local_reply_config`."""
    ready = {"json_format": {"status": "ready"}, "content_type": "application/json"}
    problems = [_mapper(status, _problem(*texts)) for status, texts in PROBLEMS.items()]
    return {
        "mappers": [_mapper(200, ready), *problems],
        "body_format": _problem("%RESPONSE_CODE_DETAILS%", "The gateway answered by itself."),
    }


def _mapper(status: int, body_format: Values) -> Values:
    return {
        "filter": {
            "status_code_filter": {
                "comparison": {
                    "op": "EQ",
                    "value": {"default_value": status, "runtime_key": "gateway.unused"},
                }
            }
        },
        "body_format_override": body_format,
    }


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
