"""Stages: a replay in the recording's own process, or in another one, each by both faces."""

import pytest

from tests.shared.recorded import World, replay_elsewhere, replay_here
from tests.shared.replaying.stage import Services, Stage
from tests.shared.store.helpers import trade


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def world(services: Services) -> World:
    world = World(services={"market": services, "broker": services})
    world.others(trade("first"))
    return world


@pytest.fixture(params=["blocking", "awaited"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "awaited")


@pytest.fixture(params=[replay_here, replay_elsewhere], ids=["here", "elsewhere"])
def stage(world: World, awaited: bool, request: pytest.FixtureRequest) -> Stage:
    return Stage(world, awaited=awaited, replay=request.param)


@pytest.fixture
def here(world: World, awaited: bool) -> Stage:
    return Stage(world, awaited=awaited, replay=replay_here)


@pytest.fixture
def elsewhere(world: World, awaited: bool) -> Stage:
    return Stage(world, awaited=awaited, replay=replay_elsewhere)
