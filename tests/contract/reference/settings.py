"""The settings of the reference service, and the one rule that it breaks."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import urlsplit

NAME, CALLEE = "things", "order-items"
LEVELS = ("debug", "info", "warning", "error")
BREAK = os.environ.get("BREAK", "")
printing = threading.Lock()


def broken(rule: str) -> bool:
    """Return whether this is the rule to break."""
    return rule == BREAK


def log(level: str, msg: str, trace: tuple[str, str] = ("", ""), **members: object) -> None:
    """Write one line on stdout."""
    wanted = os.environ.get("LOG_LEVEL", "info").lower()
    quiet = not broken("log-level") and wanted in LEVELS
    if quiet and LEVELS.index(level) < LEVELS.index(wanted):
        return
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="microseconds")[:26] + "Z",
        "level": level,
        "msg": msg,
        "service": NAME,
        "version": os.environ.get("SERVICE_VERSION", "dev"),
        "trace_id": trace[0],
        "span_id": trace[1],
        **members,
    }
    with printing:
        print(json.dumps(entry), flush=True)


def fail(variable: str, rule: str, value: str = "") -> NoReturn:
    """End with one line; or, where this is the rule to break, in some way that is wrong."""
    match BREAK if broken(rule) else "":
        case "":
            log("error", f"{variable} is missing or malformed")
        case "port-malformed":
            raise ValueError(variable)
        case "port-taken":
            log("error", variable)
            log("error", variable)
        case "log-level-malformed":
            sys.exit(0)
        case "drain-seconds-malformed":
            log("error", "something is malformed")
        case "database-url-malformed":
            log("error", f"{variable} is {value}")
        case "database-url-missing":
            print(f"{variable} is missing", flush=True)
        case "callee-url-malformed":
            log("error", variable)
            print("oh no", file=sys.stderr)
        case "callee-url-missing":
            log("info", variable)
    sys.exit(1)


def host() -> str:
    text = os.environ.get("HOST", "")
    if text and not re.fullmatch(r"[0-9.]+", text) and not broken("host-malformed"):
        fail("HOST", "host-malformed")
    return "" if broken("host") else text


def port() -> int:
    text = os.environ.get("PORT", "18080" if broken("port-default") else "8080")
    if not text.isdigit() or not 0 < int(text) < 65536:
        fail("PORT", "port-malformed")
    return int(text) ^ 1 if broken("port") else int(text)


def drain_seconds() -> float:
    try:
        seconds = float(os.environ.get("DRAIN_SECONDS", "3"))
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 300:
        fail("DRAIN_SECONDS", "drain-seconds-malformed")
    return seconds


def check_log_level() -> None:
    if os.environ.get("LOG_LEVEL", "info").lower() not in LEVELS:
        fail("LOG_LEVEL", "log-level-malformed")


def url(variable: str, schemes: tuple[str, ...], rule: str) -> str:
    text = os.environ.get(variable, "")
    if not text:
        fail(variable, f"{rule}-missing")
    if urlsplit(text).scheme not in schemes:
        fail(variable, f"{rule}-malformed", text)
    return text.rstrip("/")


def database_url() -> str:
    return url("DATABASE_URL", ("postgresql",), "database-url")


def callee_url() -> str:
    return url("ORDER_ITEMS_URL", ("http", "https"), "callee-url")
