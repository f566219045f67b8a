"""HTTP service of the style of each answer.

pip install tacit-signals fastapi prometheus-client uvicorn
TACIT_REDIS=redis://localhost:6379 TACIT_SECRET=… uvicorn --app-dir examples service:app
curl 'localhost:8000/style/ada?conversation=c-1&topic=code&surface=chat'
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest

from tacit import AsyncSignalReader

READS = Counter("tacit_reads", "Reads of users' signals, by status.", ["status"])
"""Read by the recording rule tacit:reads:availability and by the dashboard."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Share one reader among all requests."""
    async with AsyncSignalReader(os.environ["TACIT_REDIS"], region="eu", secret=os.environ["TACIT_SECRET"]) as reader:
        app.state.reader = reader
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/style/{user}")
async def style(user: str, conversation: str, topic: str | None = None, surface: str | None = None) -> dict[str, Any]:
    """Return the prompt for the model, and the entries for the feedback; defaults if Redis does not answer."""
    adaptation = await app.state.reader.get(user)
    READS.labels(adaptation.status).inc()
    choice = adaptation.choose(unit=conversation, topic=topic, surface=surface)
    return {
        "status": adaptation.status,
        "policy": choice.policy,
        "prompt": choice.prompt(),
        "served": choice.values,
        "acted_on": choice.acted_on,
    }


@app.get("/metrics")
async def metrics() -> Response:
    """Return the metrics of the process in the format of Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
