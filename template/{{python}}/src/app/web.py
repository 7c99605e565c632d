"""The application: what is served, and what it needs while it runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from app import SERVICE, health, items, telemetry
from app.calls import TIMEOUT, Callee
from app.config import Settings, read_settings
from app.problems import Problem, answer_with_problems
from app.store import open_store

SCHEMAS = "#/components/schemas/{model}"
REFUSED: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457)",
        "content": {
            "application/problem+json": {"schema": {"$ref": SCHEMAS.format(model="Problem")}}
        },
    }
}


def application() -> FastAPI:
    """Read the environment and put the application together; it connects to nothing yet."""
    settings = read_settings(Settings)
    telemetry.log_as_json(settings.log_level)
    telemetry.start_tracing(exported=settings.otel_exporter_otlp_endpoint is not None)
    return create_app(settings)


def create_app(settings: Settings) -> FastAPI:
    app = FastAPI(
        title=SERVICE,
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=1024 * 1024,
        responses=REFUSED,
        lifespan=_running,
    )
    app.state.settings = settings
    app.state.readiness = health.Readiness()
    app.add_middleware(telemetry.Telemetry)
    answer_with_problems(app)
    app.include_router(health.router)
    app.include_router(items.router)
    _, problem = models_json_schema([(Problem, "validation")], ref_template=SCHEMAS)
    app.openapi()["components"]["schemas"] |= problem["$defs"]
    return app


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    settings, readiness = app.state.settings, app.state.readiness
    async with open_store(settings) as store, httpx2.AsyncClient(timeout=TIMEOUT) as client:
        app.state.store = store
        app.state.callees = [Callee(name, url, client) for name, url in settings.callees.items()]
        checks = [
            asyncio.create_task(readiness.watch(name, check))
            for name, check in store.checks.items()
        ]
        yield
        for check in checks:
            check.cancel()


if __name__ == "__main__":
    print(json.dumps(create_app(Settings.model_construct()).openapi(), indent=2))
