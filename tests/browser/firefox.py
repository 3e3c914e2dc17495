"""Debian's Firefox, driven by the standard protocol WebDriver BiDi: https://w3c.github.io/webdriver-bidi.

Playwright needs a Firefox of its own build; its support for unchanged ones uses commands that this Firefox does not
know. This module implements the few that the tests need.
"""

import itertools
import json
import subprocess
import time

from websocket import create_connection

from tests.browser.visit import READY

# the only host is this machine: all other traffic goes to a proxy that does not exist
PREFERENCES = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.allow_hijacking_localhost": False,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "remote.prefs.recommended": True,
}
# collects a page's complaints before any of its scripts runs
LISTEN = """() => {
  window.complaints = [];
  addEventListener("error", (e) => {
    // Firefox fetches the next page before it is asked for, and gives up when something else is loaded, such as a frame
    if (e.target.rel !== "next") complaints.push(`error: ${e.message ?? e.target.src ?? e.target.href}`);
  }, true);
  addEventListener("unhandledrejection", (e) => complaints.push(`rejection: ${e.reason}`));
  addEventListener("securitypolicyviolation", (e) => complaints.push(`${e.effectiveDirective}: ${e.blockedURI}`));
}"""
# reported for fractions of which half has arrived; .ci/html checks whole pages
HALF = "Invalid markup: Incorrect number of children"
KEYS = {"ArrowLeft": "\ue012", "ArrowRight": "\ue014", "Home": "\ue011", "End": "\ue010"}


class Firefox:
    """One tab. `complaints` are a page's errors, including those on the console, and violations of its policy."""

    def __init__(self, path, profile):
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines), "utf-8")
        command = [path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        # Firefox writes its address into this file once it listens
        place = profile / "WebDriverBiDiServer.json"
        deadline = time.monotonic() + 60
        while not (place.is_file() and place.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        port = json.loads(place.read_text("utf-8"))["ws_port"]
        self.socket = create_connection(f"ws://127.0.0.1:{port}/session", suppress_origin=True, timeout=60)
        self.numbers, self.logged = itertools.count(), []
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded"])
        self.send("script.addPreloadScript", functionDeclaration=LISTEN)
        self.tab = self.send("browsingContext.create", type="tab")["context"]

    def send(self, method, **parameters):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == number:
                if answer["type"] == "error":
                    raise RuntimeError(f"{method}: {answer['message']}")
                return answer["result"]
            if answer.get("method") == "log.entryAdded" and answer["params"]["level"] in ("error", "warn"):
                self.logged.append(answer["params"]["text"])

    def open(self, address, width=1280):
        viewport = {"width": width, "height": 900}
        self.send("browsingContext.setViewport", context=self.tab, viewport=viewport)
        # a page complains about pending requests when it is left
        self.send("browsingContext.navigate", context=self.tab, url="about:blank", wait="complete")
        self.logged.clear()
        self.send("browsingContext.navigate", context=self.tab, url=address, wait="complete")
        deadline = time.monotonic() + 10
        while not self.evaluate(READY):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the script of {address} does not load")
            time.sleep(0.05)

    def evaluate(self, expression):
        """The value of an expression, or of the promise that it returns: anything that JSON can represent."""
        code = f"(async () => JSON.stringify(await ({expression})))()"
        answer = self.send("script.evaluate", expression=code, target={"context": self.tab}, awaitPromise=True)
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))

    def press(self, *keys):
        actions = [{"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.send("input.performActions", context=self.tab, actions=[source])

    def complaints(self):
        return [text for text in self.evaluate("complaints") + self.logged if HALF not in text]

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait()
