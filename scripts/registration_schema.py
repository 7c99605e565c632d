"""docs/registration.schema.json, for editors: `python scripts/registration_schema.py` prints it."""

from __future__ import annotations

import json
import sys

from svcgen.gateway.registration import Registration

HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://raw.githubusercontent.com/svcgen/svcgen/main/docs/registration.schema.json",
    "title": "What a service tells svcgen's gateway: chart/registration.yaml",
}


def registration_schema() -> str:
    """Return the JSON Schema of registrations, made from the model that reads them."""
    return json.dumps({**HEAD, **Registration.model_json_schema(), **HEAD}, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(registration_schema())
