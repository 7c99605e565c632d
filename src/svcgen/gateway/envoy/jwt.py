"""Tokens: the filter that checks them, the file with the issuers, and what a route demands.

Both filters are in the listener whatever the routes are: a change of a listener would not reach
open connections. The issuers are in a separate file (ECDS), so new keys take no restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from svcgen.gateway.access import JwtWay, KeyWay, Way
from svcgen.gateway.apply import JWT_FILTER
from svcgen.gateway.envoy.clusters import assignment, tls_upstream
from svcgen.gateway.envoy.xds import EXTENSIONS, Values, discovered, discovery_file, extension
from svcgen.gateway.issuers import Issuer
from svcgen.issuer_settings import DEFAULT_CLAIMS, Claims

ACCESS = "envoy.filters.http.rbac"
SUBJECT_HEADER, SCOPES_HEADER = "x-auth-subject", "x-auth-scopes"  # docs/contract.md, `identity`
ANY_OF = "#any"  # the requirement of a token of any issuer, of which RBAC refuses the others
CLOCK_SKEW_SECONDS = 30
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"  # of the gateway's image, and of Debian

_JWT = "filters.http.jwt_authn.v3"
_RBAC_KIND = "filters.http.rbac.v3.RBAC"
KEYS_CLUSTER = "issuer#"
_HEADER_SUFFIX = "#header"  # no issuer has this name


def jwt_filter(file: Path) -> Values:
    """Return the filter of the listener; it reads its issuers from a file when that changes."""
    return discovered(JWT_FILTER, file, f"{_JWT}.JwtAuthentication")


ACCESS_FILTER = extension(ACCESS, _RBAC_KIND)
"""Demands nothing by itself; routes with ways have rules."""


def jwt_file(issuers: Sequence[Issuer]) -> str:
    """Return the text of the file of issuers: one resource, named as the filter."""
    providers = {each.name: _provider(each) for each in issuers}
    requirements: Values = {name: {"provider_name": name} for name in providers}
    if len(providers) > 1:
        each = [{"provider_name": name} for name in providers]
        requirements[ANY_OF] = {"requires_any": {"requirements": each}}
    elif providers:
        requirements[ANY_OF] = {"provider_name": next(iter(providers))}
    config = {
        "@type": f"{EXTENSIONS}.{_JWT}.JwtAuthentication",
        "providers": providers,
        "requirement_map": requirements,
        # No reason in the body, and no request line in WWW-Authenticate: replies.py writes both.
        "strip_failure_response": True,
    }
    return discovery_file(JWT_FILTER, config)


def _provider(issuer: Issuer) -> Values:
    keys: Values = (
        {"remote_jwks": _remote(issuer)}
        if issuer.url
        else {"local_jwks": {"inline_string": issuer.keys}}
    )
    claims = {SUBJECT_HEADER: issuer.claims.subject, SCOPES_HEADER: issuer.claims.scopes}
    return {
        "issuer": issuer.issuer,
        **({"audiences": list(issuer.audiences)} if issuer.audiences else {}),
        **keys,
        # Without these, a token in the query `access_token` counts too, which logs would keep.
        "from_headers": [
            {"name": "Authorization", "value_prefix": prefix} for prefix in ("Bearer ", "bearer ")
        ],
        "forward": True,
        "require_expiration": True,
        "clock_skew_seconds": CLOCK_SKEW_SECONDS,
        "payload_in_metadata": issuer.name,
        "header_in_metadata": f"{issuer.name}{_HEADER_SUFFIX}",
        "normalize_payload_in_metadata": {"space_delimited_claims": [issuer.claims.scopes]},
        "claim_to_headers": [
            {"header_name": header, "claim_name": claim} for header, claim in claims.items()
        ],
    }


def _remote(issuer: Issuer) -> Values:
    return {
        "http_uri": {"uri": issuer.url, "cluster": keys_cluster_name(issuer.name), "timeout": "5s"},
        "cache_duration": "300s",
        "async_fetch": {"fast_listener": True},
        "retry_policy": {"num_retries": 2},
    }


def keys_cluster_name(issuer: str) -> str:
    """Return the name of the cluster for the keys of an issuer; no service has such a name."""
    return f"{KEYS_CLUSTER}{issuer}"


def keys_clusters(issuers: Iterable[Issuer], ca_file: str) -> list[Values]:
    """Return a cluster for each issuer whose keys have an address."""
    return [_keys_cluster(issuer, ca_file) for issuer in issuers if issuer.url]


def _keys_cluster(issuer: Issuer, ca_file: str) -> Values:
    url = urlsplit(issuer.url)
    host, secure = url.hostname or "", url.scheme == "https"
    name = keys_cluster_name(issuer.name)
    cluster: Values = {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "5s",
        "dns_lookup_family": "V4_PREFERRED",
        "load_assignment": assignment(name, [(host, url.port or (443 if secure else 80))]),
    }
    if secure:
        cluster |= tls_upstream(host, {"filename": ca_file})
    return cluster


def route_access(ways: Sequence[Way], claims: Mapping[str, Claims]) -> Values:
    """Return the `typed_per_filter_config` of a route with these ways; empty for an open route.

    RBAC also refuses where no token was checked, for whatever reason.
    """
    tokens = [way for way in ways if isinstance(way, JwtWay)]
    if not tokens:
        return {}
    names = {way.jwt for way in tokens}
    requirement = names.pop() if len(names) == 1 else ANY_OF
    # The subject of a token must not look like the user name of a key of the same route.
    groups = "|".join(sorted({way.key for way in ways if isinstance(way, KeyWay)}))
    of_key = [{"not_id": _header(SUBJECT_HEADER, rf"(?:{groups})\..*")}] if groups else []
    principals = [_principal(way, claims.get(way.jwt, DEFAULT_CLAIMS), of_key) for way in tokens]
    policy = {"permissions": [{"any": True}], "principals": principals}
    return {
        JWT_FILTER: {
            "@type": f"{EXTENSIONS}.{_JWT}.PerRouteConfig",
            "requirement_name": requirement,
        },
        ACCESS: allowing({"ways": policy}),
    }


def allowing(policies: Values) -> Values:
    """Return the settings of a route for ACCESS: a request that no policy allows gets 403."""
    kind = f"{EXTENSIONS}.filters.http.rbac.v3.RBACPerRoute"
    return {"@type": kind, "rbac": {"rules": {"action": "ALLOW", "policies": policies}}}


def _principal(way: JwtWay, claims: Claims, more: Sequence[Values]) -> Values:
    """Return what holds for a request with a token of this issuer and all of the scopes."""
    asymmetric = {"string_match": {"safe_regex": {"regex": "(RS|ES|PS)[0-9]{3}|EdDSA"}}}
    conditions = [
        _header("authorization", _ALONE),
        *more,
        *({"not_id": _header(name, _CONTROL)} for name in (SUBJECT_HEADER, SCOPES_HEADER)),
        _metadata([f"{way.jwt}{_HEADER_SUFFIX}", "alg"], asymmetric),
        *(
            _metadata(
                [way.jwt, claims.scopes],
                {"list_match": {"one_of": {"string_match": {"exact": scope}}}},
            )
            for scope in way.scopes
        ),
    ]
    return {"and_ids": {"ids": conditions}}


# Envoy finds a token anywhere in the field, and in the first of two: the service may see another.
_ALONE = r"[Bb]earer [A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_CONTROL = r"(?s).*[\x00-\x1f\x7f].*"  # in a claim, a newline would begin another header field


def _header(name: str, regex: str) -> Values:
    return {"header": {"name": name, "string_match": {"safe_regex": {"regex": regex}}}}


def _metadata(path: Sequence[str], value: Values) -> Values:
    keys = [{"key": key} for key in path]
    return {
        "sourced_metadata": {
            "metadata_matcher": {"filter": JWT_FILTER, "path": keys, "value": value}
        }
    }
