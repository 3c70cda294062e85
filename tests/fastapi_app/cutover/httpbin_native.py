"""Three of httpbin's routes, rewritten. One of them goes wrong with some requests."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

app = FastAPI(openapi_url=None, default_response_class=JSONResponse)


class _Cors:
    """What httpbin adds to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        async def send_with_cors(message: Any) -> None:
            if message["type"] == "http.response.start":
                origin = dict(scope["headers"]).get(b"origin", b"*")
                message["headers"] += [
                    (b"access-control-allow-origin", origin),
                    (b"access-control-allow-credentials", b"true"),
                ]
            await send(message)

        await self.app(scope, receive, send_with_cors)


app.add_middleware(_Cors)


@app.get("/user-agent")
async def user_agent(request: Request) -> dict[str, str | None]:
    return {"user-agent": request.headers.get("user-agent")}


@app.get("/bearer")
async def bearer(request: Request) -> Response:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind != "Bearer":
        return HTMLResponse("", 401, {"WWW-Authenticate": "Bearer"})
    return JSONResponse({"authenticated": True, "token": token})


@app.get("/base64/{text}")
async def decoded(text: str) -> Response:
    try:
        # Wrong: httpbin's alphabet is that of URLs, which differs in two of 64 letters.
        return HTMLResponse(base64.b64decode(text).decode())
    except (binascii.Error, UnicodeDecodeError):
        return HTMLResponse("Incorrect Base64 data try: SFRUUEJJTiBpcyBhd2Vzb21l")
