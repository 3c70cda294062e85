"""How long this folder searches: `pytest tests/parity --hypothesis-profile=soak` takes an hour or two."""

from hypothesis import settings

settings.register_profile("soak", max_examples=20_000)
