"""A market that is over, so that its answers are the same at any time."""

import json
from pathlib import Path

RECORDING = """timestamp,open,high,low,close,volume
2024-03-04T09:59:00Z,10.00,12.50,9.75,11.00,0.10
2024-03-04T10:00:00Z,11.00,11.00,10.00,10.50,2
"""
"""Of BTC-USD, in minutes."""


def recorded_market(folder: Path) -> dict[str, str]:
    """The environment of a server whose market it is, from a file in this folder."""
    file = folder / "candles.csv"
    file.write_text(RECORDING)
    return {"TRADEWINDOW_MARKET__KIND": "file", "TRADEWINDOW_MARKET__FILES": json.dumps({"BTC-USD": str(file)})}
