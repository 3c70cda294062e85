"""`/api/health`"""

from fastapi import APIRouter, Request, Response

from fastapi_app.requests import PricedRoute, json_answer
from shared.wire import Health

router = APIRouter(route_class=PricedRoute, tags=["service"])


@router.get("/api/health", response_model=Health)
async def health(_request: Request) -> Response:
    """Whether the process answers."""
    return json_answer({"status": "healthy"})
