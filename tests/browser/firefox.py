"""Firefox as Debian has it, driven over WebDriver BiDi, which is a standard: https://w3c.github.io/webdriver-bidi.

Playwright's Firefox is a build of its own, and on its way to an unchanged one it asks for commands that this one does
not know. The little that the tests need is here.
"""

import itertools
import json
import subprocess
import time

from websocket import create_connection

from tests.browser.visit import READY

# no host but this machine: everything else goes to a proxy that is not there
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
# what a page has to complain about before any of its scripts runs
LISTEN = """() => {
  window.complaints = [];
  addEventListener("error", (e) => complaints.push(`error: ${e.message ?? e.target.src ?? e.target.href}`), true);
  addEventListener("unhandledrejection", (e) => complaints.push(`rejection: ${e.reason}`));
  addEventListener("securitypolicyviolation", (e) => complaints.push(`${e.effectiveDirective}: ${e.blockedURI}`));
}"""
# said of a fraction of which half has arrived; whole pages are checked by .ci/html
HALF = "Invalid markup: Incorrect number of children"
KEYS = {"ArrowLeft": "\ue012", "ArrowRight": "\ue014", "Home": "\ue011", "End": "\ue010"}


class Firefox:
    """One tab. `complaints` of a page are its errors, on the console as well, and what its policy stopped."""

    def __init__(self, path, profile):
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines), "utf-8")
        command = [path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        # Firefox writes there where it listens, once it does
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
        # the last page complains of what it was still loading when it is left
        self.send("browsingContext.navigate", context=self.tab, url="about:blank", wait="complete")
        self.logged.clear()
        self.send("browsingContext.navigate", context=self.tab, url=address, wait="complete")
        deadline = time.monotonic() + 10
        while not self.evaluate(READY):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the script of {address} does not come")
            time.sleep(0.05)

    def evaluate(self, expression):
        """What an expression, or what it promises, becomes: anything that JSON can say."""
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
