"""The environment of the processes of a local fleet: named variables of the shell, and no others.

What a shell holds for other programs (tokens of a cloud, of a registry, of GitHub) is not for a
service, which may log it or send it on. docs/running.md lists what passes.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from fnmatch import fnmatchcase

from svcgen.ports import LOOPBACK
from svcgen.service import url_variable
from svcgen.settings import EVERY_SERVICE

SYSTEM = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ", "LANG", "LANGUAGE"),
    *("LC_*", "XDG_*", "LD_LIBRARY_PATH", "DYLD_*"),
)
"""Patterns of the variables that every process gets."""
TOOLS = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("SSL_CERT_*", "NIX_SSL_CERT_FILE", "*_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"),
    *("PYENV_*", "ASDF_*", "MISE_*", "NVM_DIR", "VOLTA_HOME", "SDKMAN_DIR"),
    *("PIP_*", "UV_*", "NPM_CONFIG_*", "npm_config_*", "NODE_OPTIONS"),
    *("GOPATH", "GOROOT", "GOENV", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOTOOLCHAIN", "GOTMPDIR"),
    *("GOPROXY", "GOPRIVATE", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOINSECURE"),
    *("JAVA_HOME", "JAVA_TOOL_OPTIONS", "MAVEN_*", "M2_HOME"),
)
"""Patterns of what the tools of the stacks need, which `make` starts: where they get packages."""
CONTRACT = ("LOG_LEVEL", "DRAIN_SECONDS", "SERVICE_VERSION", "OTEL_*")
"""Patterns of the contract's own variables, which compose.yaml passes too."""

Environments = Mapping[str, Mapping[str, str | None]]


def system_environment() -> dict[str, str]:
    """Return what the gateway and the database get."""
    return _passed(SYSTEM)


def service_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service without PORT and DATABASE_URL.

    `given` is what `platform_environment` returns. svcgen's own `uv` is last on PATH.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), sysconfig.get_path("scripts")])
    return {**_passed((*SYSTEM, *TOOLS)), "PATH": path, **given}


def platform_environment(
    name: str, called: Mapping[str, str], settings: Environments, file: Mapping[str, str | None]
) -> dict[str, str]:
    """Return what a service gets beside the variables of its tools.

    `called` has the URLs of called services, `settings` the key `environment` of svcgen.yaml,
    `file` the variables of the service's `.env`. As in Compose, the shell counts more than `.env`
    for the variables of the contract, and svcgen.yaml counts more than both.
    """
    return {
        "SERVICE_VERSION": "dev",
        **resolved(file),
        **_passed(CONTRACT),
        **{url_variable(callee): url for callee, url in called.items()},
        **resolved(settings.get(EVERY_SERVICE, {})),
        **resolved(settings.get(name, {})),
        "HOST": LOOPBACK,
    }


def resolved(values: Mapping[str, str | None]) -> dict[str, str]:
    """Return variables with those without a value taken from the shell, where it has them."""
    taken = {key: os.environ.get(key) if value is None else value for key, value in values.items()}
    return {key: value for key, value in taken.items() if value is not None}


def _passed(patterns: tuple[str, ...]) -> dict[str, str]:
    return {
        key: value
        for key, value in os.environ.items()
        if any(fnmatchcase(key, pattern) for pattern in patterns)
    }
