"""Pages are whole without a network: what they load is in git, as its makers published it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from stages.validate import offline
from tests.pages import in_styles, loads, missing
from tests.repository import ROOT

MANIFEST = json.loads((offline.ASSETS / "manifest.json").read_text(encoding="utf-8"))
PLOTS = (ROOT / ".dvc/plots.html").read_text(encoding="utf-8")
FILES = {"https://host.example/a.js": "one/a.min.js", "https://host.example/a.css": "one/a.min.css"}


@pytest.mark.parametrize("name", MANIFEST["data_docs"])
def test_what_is_carried_is_what_the_manifest_says(name: str) -> None:
    content = (offline.ASSETS / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == MANIFEST["data_docs"][name]["sha256"]


def test_nothing_else_is_carried() -> None:
    there = {path.relative_to(offline.ASSETS).as_posix() for path in offline.ASSETS.rglob("*") if path.is_file()}
    assert there == {*MANIFEST["data_docs"], "manifest.json"}


def test_every_package_is_pinned_by_hash_and_comes_with_its_licence() -> None:
    used = {about["package"] for about in [*MANIFEST["data_docs"].values(), *MANIFEST["plots"]]}
    assert used == set(MANIFEST["packages"])
    for name, about in MANIFEST["packages"].items():
        assert re.fullmatch(r"sha512-[\w+/]{86}==", about["integrity"]), name
        assert re.search("MIT|BSD-3-Clause|Apache-2.0", about["license"]), name
    licensed = {about["package"] for name, about in MANIFEST["data_docs"].items() if "LICENSE" in name}
    assert licensed == used - {"vega", "vega-lite", "vega-embed", "popper.js"}  # these say it in what is carried
    assert "Distributed under the MIT License" in (offline.ASSETS / "popper/popper.min.js").read_text(encoding="utf-8")
    assert "University of Washington Interactive Data Lab" in PLOTS


# ---- Data Docs ------------------------------------------------------------------------------------


def test_every_address_of_great_expectations_templates_is_known() -> None:
    """Red when Great Expectations is raised to a version that loads something else: carry that."""
    import great_expectations

    folder = Path(great_expectations.__file__).parent / "render/view/templates"
    known = {address for about in MANIFEST["data_docs"].values() for address in about["instead_of"]}
    asked = {address for path in folder.glob("*.j2") for address in loads(path.read_text(encoding="utf-8"))}
    hosts = {address for address in asked if address.startswith("http")}
    assert len(hosts) > 10
    assert {address for address in hosts if "/npm/vega" not in address} == known


def test_a_page_loads_what_lies_beside_it() -> None:
    page = (
        '<link rel="stylesheet" type="text/css" href="https://host.example/a.css"/>'
        '<script src="https://host.example/a.js" integrity="sha384-x" crossorigin="anonymous"></script>'
        '<a href="https://host.example/a.css">read</a>'
    )
    assert offline.localized(page, FILES, "../static") == (
        '<link rel="stylesheet" href="../static/one/a.min.css"><script src="../static/one/a.min.js"></script>'
        '<a href="https://host.example/a.css">read</a>'
    )


def test_the_logo_is_the_one_that_is_there() -> None:
    host = "https://great-expectations-web-assets.s3.us-east-2.amazonaws.com"
    styled = f"<style>a {{ background: url('{host}/full_logo_dark.png') }}</style>"
    page = f'{styled}<img src="{host}/logo-long.png?d=2026">'
    assert loads(offline.localized(page, {}, "static")) == ["static/images/logo-long.png"] * 2
    icon = '<link rel="shortcut icon" href="../../../static/images/favicon.ico" />'
    assert loads(offline.localized(icon, {}, "../../static")) == ["../../static/images/favicon.ico"]


def test_vega_goes_where_nothing_is_drawn_and_stays_where_it_is_needed() -> None:
    vega = '<script src="https://cdn.jsdelivr.net/npm/vega-lite@5"></script>'
    assert offline.localized(f"{vega}<p>text</p>", FILES, "static") == "<p>text</p>"
    drawn = f"{vega}<script>vegaEmbed('#a', {{}})</script>"
    assert offline.localized(drawn, FILES, "static") == drawn


def test_an_unknown_address_stays() -> None:
    page = '<script src="https://other.example/b.js"></script>'
    assert offline.localized(page, FILES, "static") == page


def test_pages_at_every_depth_find_what_is_carried(tmp_path: Path) -> None:
    address = "https://code.jquery.com/jquery-3.7.1.min.js"
    pages = [tmp_path / "site" / name for name in ("index.html", "expectations/a.html", "validations/a/b/c/d.html")]
    for page in pages:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f'<meta charset="utf-8"><p>é</p><script src="{address}"></script>', encoding="utf-8")
    offline.carry(tmp_path / "site")
    assert all(loads(page.read_text(encoding="utf-8")) for page in pages[1:])
    for page in pages:
        assert not missing(page)
        assert "é" in page.read_text(encoding="utf-8")


def test_the_first_page_is_whole_without_its_folder() -> None:
    """MLflow shows it as a page of its own, in which no path leads anywhere."""
    files = {address: name for name, about in MANIFEST["data_docs"].items() for address in about["instead_of"]}
    tags = [f'<script src="{address}"></script>' for address, name in files.items() if name.endswith(".js")]
    tags += [f'<link rel="stylesheet" href="{address}">' for address, name in files.items() if name.endswith(".css")]
    page = offline.localized("".join(tags), files, "static", alone=True)
    assert not loads(page)
    assert page.count("</script>") == sum(name.endswith(".js") for name in files.values())
    assert "<!--" not in page  # with it, what a script quotes could keep it from ending
    assert page.count("font/woff2;base64,") == 3  # Font Awesome's own name, and those of versions 5 and 4


def test_the_icons_that_are_used_have_their_font() -> None:
    """Of Font Awesome's fonts only the solid one is carried: no template asks for another."""
    sheet = (offline.ASSETS / "font-awesome/css/all.min.css").read_text(encoding="utf-8")
    assert "../webfonts/fa-solid-900.woff2" in in_styles(sheet)
    import great_expectations

    folder = Path(great_expectations.__file__).parent / "render"
    styles = set()
    for path in [*folder.rglob("*.py"), *folder.rglob("*.j2")]:
        styles |= set(re.findall(r"\bfa[a-z]? (?=fa-)", path.read_text(encoding="utf-8")))
    assert styles <= {"fas ", "fa "}


# ---- plots ----------------------------------------------------------------------------------------


def test_the_page_of_plots_loads_nothing() -> None:
    assert not loads(PLOTS)
    assert "{scripts}" not in PLOTS  # DVC would put the addresses of its scripts there
    for placeholder in ("{plot_divs}", "{refresh_tag}"):
        assert PLOTS.count(placeholder) == 1  # none within the scripts, where DVC would fill it in too


def test_the_page_of_plots_has_the_scripts_of_the_manifest() -> None:
    carried = re.findall(r"<!-- (\S+) (\S+) -->\n<script>\n(.*?)\n</script>", PLOTS, re.DOTALL)
    assert [name for name, _, _ in carried] == [about["package"] for about in MANIFEST["plots"]]
    for (name, version, script), about in zip(carried, MANIFEST["plots"], strict=True):
        assert version == MANIFEST["packages"][name]["version"]
        assert hashlib.sha256(script.encode("utf-8")).hexdigest() == about["sha256"], name


def test_vega_is_of_the_version_that_the_templates_are_written_for() -> None:
    majors = {name: version.split(".")[0] for name, version in re.findall(r"<!-- (vega\S*) (\S+) -->", PLOTS)}
    from dvc_render.vega import VegaRenderer

    assert majors == dict(re.findall(r"npm/(vega\S*)@(\d+)", VegaRenderer.SCRIPTS))
    for path in sorted((ROOT / ".dvc/plots").glob("*.json")):
        assert f"vega-lite/v{majors['vega-lite']}.json" in path.read_text(encoding="utf-8"), path.name
