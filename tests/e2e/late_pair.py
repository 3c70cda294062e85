"""Two apps that agree, until a file lies in the working directory: then native is wrong. They tell which process
answers. For `tradewindow cutover serve`."""

import os
from pathlib import Path

from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TURNED = Path("native-is-wrong")

legacy = Flask(__name__)


@legacy.get("/price")
def price() -> dict[str, int]:
    return {"price": 1, "pid": os.getpid()}


async def native_price(_request: Request) -> Response:
    wrong = TURNED.exists()  # noqa: ASYNC240 - a look at a small file of this machine
    return JSONResponse({"price": 2 if wrong else 1, "pid": os.getpid()})


native = Starlette(routes=[Route("/price", native_price)])
