"""Chromium, driven by its DevTools protocol over a pair of pipes: no driver and no WebSocket is needed."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The sandbox needs user namespaces, which containers seldom allow; the pages are our own.
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"),
    *("--no-first-run", "--disable-background-networking", "--disable-extensions", "--force-color-profile=srgb"),
    *("--hide-scrollbars", "--disable-component-update", "--disable-sync", "--mute-audio"),
)

_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


def chromium() -> str | None:
    """The browser's command, or None where there is none."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


def _box(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"


class Page:
    """One tab. Errors that its scripts raise are kept in `errors`, the addresses it asked for in `requests`."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = to_browser, from_browser
        self._buffer = b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            self._note(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._in, 1 << 20)
            assert part, "Chromium ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["exception"].get("description", "?"))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file, and wait until its scripts have run."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=path.absolute().as_uri() + fragment)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")
        self.settle()

    def run(self, script: str) -> Any:
        """What an expression gives, as plain data."""
        done = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition: str, timeout: float = 20) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + timeout
        while not self.run(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait for two frames to be drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key."""
        shared = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key], "modifiers": 8 if shift else 0}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **shared, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **shared)
        self.settle()

    def tap(self, selector: str) -> None:
        """Touch the middle of an element, as a finger does."""
        self.send("Emulation.setTouchEmulationEnabled", enabled=True)
        box = self.run(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({_box(selector)})")
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": box[0], "y": box[1]}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.send("Emulation.setTouchEmulationEnabled", enabled=False)
        self.settle()

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)
        self.settle()

    def choose(self, ident: str, value: str) -> None:
        """Choose an option of a select."""
        self.run(
            f"(() => {{ const one = document.getElementById({json.dumps(ident)}); one.value = {json.dumps(value)};"
            " one.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )
        self.settle()

    def screen(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of the window in CSS pixels and the colour scheme that is preferred."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media="screen", features=[scheme])
        self.settle()

    def screenshot(self, path: Path, *, whole: bool = True) -> bytes:
        """Write a picture of the whole page, or of the window, as PNG."""
        self.settle()
        picture = base64.b64decode(
            self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        )
        path.write_bytes(picture)
        return picture


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A tab of a Chromium of its own, without a window; it ends with the block."""
    command = chromium()
    assert command is not None
    to_child, ours_out = os.pipe()
    ours_in, from_child = os.pipe()
    script = f'exec "$0" "$@" 3<&{to_child} 4>&{from_child}'
    child = subprocess.Popen(
        ["bash", "-c", script, command, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(to_child, from_child),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "HOME": str(profile), "XDG_CACHE_HOME": str(profile)},
    )
    os.close(to_child)
    os.close(from_child)
    try:
        yield Page(ours_out, ours_in)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(ours_out)
        os.close(ours_in)
