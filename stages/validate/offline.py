"""Make the Data Docs whole without a network: what their pages load lies beside them, taken from `assets/`."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from pathlib import Path

from stages.common.files import write_text

ASSETS = Path(__file__).with_name("assets")

_ADDRESS = r"https?://[^\"'\s>]+"
_LOADING = re.compile(
    rf"<script\b[^>]*\bsrc=\"(?P<script>{_ADDRESS})\"[^>]*></script>"
    rf"|<link\b[^>]*\bhref=\"(?P<sheet>{_ADDRESS})\"[^>]*>"
    rf"|(?P<logo>https://great-expectations-web-assets\.[^\"'\s>]+)"
    r"|(?P<icon>\.[./]*/static/images/favicon\.ico)"
)
_FONT = "font-awesome/webfonts/fa-solid-900.woff2"
_FACE = re.compile(r"@font-face\s*\{[^}]*\}")
_SOURCE = re.compile(r"src:[^}]*fa-solid-900\.woff2[^}]*")
_VEGA = re.compile(r"https://cdn\.jsdelivr\.net/npm/vega(-lite|-embed)?@")


def carry(site: Path) -> None:
    """Lay `assets/` into the Data Docs under `site`, and let every page load its scripts and styles from there.

    The first page has them within it, since MLflow shows it without its folder.
    An address that the manifest does not know stays as it is: such a page is whole with a network only.

    Parameters
    ----------
    site : Path
        Folder of `index.html`, as Great Expectations wrote it.
    """
    manifest = json.loads((ASSETS / "manifest.json").read_text(encoding="utf-8"))["data_docs"]
    for name in manifest:
        (site / "static" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ASSETS / name, site / "static" / name)
    files = {address: name for name, about in manifest.items() for address in about["instead_of"]}
    for page in sorted(site.rglob("*.html")):
        static = Path(os.path.relpath(site / "static", page.parent)).as_posix()
        alone = page == site / "index.html"
        write_text(page, localized(page.read_text(encoding="utf-8"), files, static, alone=alone))


def localized(page: str, files: dict[str, str], static: str, *, alone: bool = False) -> str:
    """Return a page that loads from `static` what it loaded from the addresses of `files`.

    Vega is left out where nothing is drawn. The hashes that a tag had for what comes from a network go with its
    address: a browser that reads a page from the disk refuses scripts with them. Great Expectations copies its logo
    and its icon beside the pages, but links to its server for the one and to a wrong folder for the other.

    Parameters
    ----------
    page : str
        HTML.
    files : dict
        Name below `static` by address.
    static : str
        Path from the page to the folder of what it loads.
    alone : bool
        Put scripts and styles into the page instead.
    """

    def local(loading: re.Match[str]) -> str:
        if loading["logo"] or loading["icon"]:
            return f"{static}/images/{'logo-long.png' if loading['logo'] else 'favicon.ico'}"
        address = loading["script"] or loading["sheet"]
        if _VEGA.match(address) and "vegaEmbed(" not in page:
            return ""
        if address not in files:
            return loading[0]
        if alone:
            return _whole(files[address])
        if loading["script"]:
            return f'<script src="{static}/{files[address]}"></script>'
        return f'<link rel="stylesheet" href="{static}/{files[address]}">'

    return _LOADING.sub(local, page)


def _whole(name: str) -> str:
    """Return an asset as an element of a page, with the one font that is carried; the other fonts are left out."""
    text = (ASSETS / name).read_text(encoding="utf-8")
    if name.endswith(".js"):
        return f"<script>\n{text}\n</script>"
    font = base64.b64encode((ASSETS / _FONT).read_bytes()).decode("ascii")
    source = f'src:url(data:font/woff2;base64,{font}) format("woff2")'

    def face(rule: re.Match[str]) -> str:
        whole, carried = _SOURCE.subn(source, rule[0])
        return whole if carried else ""

    return f"<style>\n{_FACE.sub(face, text)}\n</style>"
