"""What README.md and docs/effects.md show, for tests that run it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EFFECTS = (ROOT / "docs" / "effects.md").read_text()


def write_modules(folder: Path) -> None:
    """Puts the modules that the two show into the folder: the accepted differences, the shop, and what records it."""
    modules = re.findall(r"^```python\n(# (\w+\.py)\n.*?)^```", README + EFFECTS, re.DOTALL | re.MULTILINE)
    for source, name in modules:
        (folder / name).write_text(source)
    assert [name for _, name in modules] == ["meant.py", "shop.py", "shop_effects.py"]
