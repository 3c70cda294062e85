"""Pages in a real browser: Debian's Chromium, steered by Selenium."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

DESKTOP, PHONE = (1280, 900), (375, 800)
"""Width and height in CSS pixels."""

REQUIRED = "BROWSER_TESTS_REQUIRED"
"""With this in the environment, a test that needs a browser fails where there is none."""


class Browser:
    """One window. `said` and `asked` tell what the newest page has logged, and which addresses it has asked for."""

    def __init__(self, driver: Chrome) -> None:
        self._driver = driver

    def open(self, file: Path, size: tuple[int, int] = DESKTOP, *, scheme: str = "light") -> None:
        """Shows a file; one that is narrow is shown as by a phone. `scheme` is light or dark."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self._command("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._command("Emulation.setEmulatedMedia", {"features": [feature]})
        self.said()
        self.asked()
        self._driver.get(file.absolute().as_uri())

    def run(self, script: str) -> Any:
        """What the JavaScript returns."""
        return self._driver.execute_script(script)

    def said(self) -> list[str]:
        return [entry["message"] for entry in self._log("browser")]

    def asked(self) -> list[str]:
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self._driver.get_log(kind)  # type: ignore[no-untyped-call]
        return log

    def _command(self, name: str, arguments: dict[str, Any]) -> None:
        self._driver.execute_cdp_cmd(name, arguments)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Skips the test where there is no browser, or fails it where one is required."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = "needs chromium and chromedriver: apt-get install chromium chromium-driver (Debian)"
        if os.environ.get(REQUIRED):
            pytest.fail(missing)
        pytest.skip(missing)
    options = ChromeOptions()
    options.binary_location = chromium
    options.add_argument("--headless")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has no sandbox for root
    options.add_argument("--disable-dev-shm-usage")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = Chrome(options=options, service=Service(driver))
    try:
        yield Browser(started)
    finally:
        started.quit()
