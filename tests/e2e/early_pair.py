"""Two apps that refuse an upload by its head alone, and one endpoint that takes it. For `tradewindow cutover serve`."""

from flask import Flask, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

legacy = Flask(__name__)


@legacy.get("/ready")
def ready() -> dict[str, bool]:
    return {"ready": True}


@legacy.post("/refused")
def refused() -> tuple[dict[str, str], int]:
    return {"error": "no upload"}, 401


@legacy.post("/taken")
def taken() -> dict[str, int]:
    return {"bytes": len(request.get_data())}


async def native_ready(_request: Request) -> Response:
    return JSONResponse({"ready": True})


async def native_refused(_request: Request) -> Response:
    return JSONResponse({"error": "no upload"}, status_code=401)


async def native_taken(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


native = Starlette(
    routes=[
        Route("/ready", native_ready),
        Route("/refused", native_refused, methods=["POST"]),
        Route("/taken", native_taken, methods=["POST"]),
    ]
)
