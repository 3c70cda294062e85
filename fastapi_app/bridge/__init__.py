"""WSGI under ASGI: a2wsgi, hardened."""

from fastapi_app.bridge.bridge import Bridge, BridgeFigures

__all__ = ["Bridge", "BridgeFigures"]
