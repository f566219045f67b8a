"""HTTP service of the style of each answer.

pip install tacit-signals fastapi uvicorn
TACIT_REDIS=redis://localhost:6379 TACIT_SECRET=… uvicorn --app-dir examples service:app
curl 'localhost:8000/style/ada?conversation=c-1&topic=code&surface=chat'
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from tacit import AsyncSignalReader


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
    choice = adaptation.choose(unit=conversation, topic=topic, surface=surface)
    return {
        "status": adaptation.status,
        "policy": choice.policy,
        "prompt": choice.prompt(),
        "served": choice.values,
        "acted_on": choice.acted_on,
    }
