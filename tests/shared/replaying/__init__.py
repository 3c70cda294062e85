"""Another side of a recorded request meets the world as the first one met it, and writes nowhere."""
