"""What a browser may load and run in a page, as a Content Security Policy in the page itself.

A page gets along with the site's own files, and with the host of its comments if it has any. Scripts in the page are
allowed by their hashes, so a policy is made of the finished page; a page that an incremental build left alone gets the
same policy again. It follows the page's charset, which has to come in its first kilobyte.
"""

import base64
import hashlib
import re
from html import escape

# a browser may not count the files next to a file as its own
OWN = ["'self'", "file:"]
CHARSET = re.compile(r"<meta charset=[^>]*>")
POLICY = re.compile(r'\n?<meta http-equiv="Content-Security-Policy"[^>]*>')
SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.S)
# an address is allowed as such, and data are not run
NOT_INLINE = re.compile(r"""\b(src=|type=["'](application|text)/(?!javascript))""")


def digest(script):
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def policy(html, hosts):
    scripts = [text for attributes, text in SCRIPT.findall(html) if not NOT_INLINE.search(attributes)]
    directives = {
        # Firefox fetches the next page before it is asked for, and has no rule of its own for that
        "default-src": OWN,
        "object-src": ["'none'"],
        # a widget's module comes from a Blob; the search is compiled to WebAssembly
        "script-src": [*OWN, "blob:", "'wasm-unsafe-eval'", *dict.fromkeys(map(digest, scripts)), *hosts],
        # KaTeX and sphinx-design place things by style attributes
        "style-src": [*OWN, "'unsafe-inline'", *hosts],
        "img-src": [*OWN, "data:"],
        "font-src": [*OWN, "data:"],
        "frame-src": [*OWN, *hosts],
        "base-uri": OWN,
        "form-action": ["'none'"],
    }
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())


def add_content_policy(site):
    host = site.settings.comments.get("host")
    for name, html in site.pages.items():
        html = POLICY.sub("", html)
        content = escape(policy(html, [host] if host and f'data-host="{host}"' in html else []), quote=False)
        tag = f'\n<meta http-equiv="Content-Security-Policy" content="{content}">'
        site.pages[name] = CHARSET.sub(rf"\g<0>{tag}", html, count=1)
