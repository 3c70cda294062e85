"""How long the searches of this folder take: `pytest tests/parity --hypothesis-profile=soak` searches for an hour."""

from hypothesis import settings

settings.register_profile("soak", max_examples=20_000)
