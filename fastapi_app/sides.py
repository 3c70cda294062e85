"""This product's two sides by themselves, on a store in memory: for tests that put a recorded request to both."""

from fastapi import FastAPI
from flask import Flask

from fastapi_app.legacy import create_legacy
from fastapi_app.native import create_native
from fastapi_app.recorded_ports import PortsEffects
from shared.ports import LivePorts
from shared.settings import Settings
from shared.store.memory import MemoryStore


def legacy() -> Flask:
    return create_legacy(Settings(), LivePorts(store=MemoryStore()))


def native() -> FastAPI:
    return create_native(LivePorts(store=MemoryStore()), max_body_bytes=Settings().limits.max_body_bytes)


def effects() -> PortsEffects:
    return PortsEffects(LivePorts(store=MemoryStore()))
