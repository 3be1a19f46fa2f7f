"""Steers the simulated cloud that the tests run against."""

import json
import os
import urllib.request

URL = os.environ.get("NEPHOS_URL", "http://127.0.0.1:8774") + "/_nephos"


def control(method: str, path: str, body: dict | None = None) -> dict | None:
    """Raises urllib.error.HTTPError when the cloud refuses: an assertion that does not hold is a 409, which says why."""
    request = urllib.request.Request(
        URL + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def fault(**fault) -> None:
    control("POST", "/faults", {"fault": fault})
