"""Pages with comments, and a replacement for the host of the comments."""

from tests.book.pages import COMMENTS
from tests.browser.visit import DESKTOP, Visit

HOST = COMMENTS.get("host")
# the part of giscus that a page depends on: a frame from its host that reports its height and accepts settings
CLIENT = f"""
const {{ dataset }} = document.currentScript;
const frame = document.createElement("iframe");
frame.src = "{HOST}/widget";
frame.title = "Comments";
document.querySelector(".giscus").replaceChildren(frame);
window.asked = {{ ...dataset }};
"""
WIDGET = """<!doctype html><p>three comments</p><script>
window.heard = [];
addEventListener("message", ({ data }) => heard.push(data.giscus.setConfig.theme));
parent.postMessage({ giscus: { resizeHeight: 300 } }, "*");
</script>"""


class Comments(Visit):
    """A page with comments, and a host that answers, refuses or is silent."""

    def __init__(self, browser, own, host="answers", **options):
        super().__init__(browser, own, **DESKTOP | options)
        # requests to its own host are not complaints
        self.own += (HOST,)
        self.requests = []
        self.host = host
        self.context.route(f"{HOST}/**", self.answer)

    def answer(self, route):
        path = route.request.url.removeprefix(HOST)
        self.requests.append(path)
        if self.host == "refuses":
            route.abort("connectionrefused")
        elif path == "/client.js":
            route.fulfill(body=CLIENT, content_type="text/javascript", headers={"Access-Control-Allow-Origin": "*"})
        elif self.host == "answers":
            route.fulfill(body=WIDGET, content_type="text/html")
        else:
            # a silent host: the frame exists but sends no message
            route.fulfill(body="<!doctype html>", content_type="text/html")

    def open_comments(self):
        self.page.locator(".comments summary").click()

    def heard(self):
        return next(frame for frame in self.page.frames if frame.url.startswith(HOST)).evaluate("heard")
