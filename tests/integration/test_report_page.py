"""The report's page in a real browser: sorting, filters, plot, keyboard, phone, dark mode, and hostile text."""

from __future__ import annotations

import itertools
import json
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from runner.report.columns import Table
from runner.report.page import as_html
from runner.report.rows import collect
from tests.browser import Page, browser, chromium
from tests.reports import manifest, point, sha, sweep, write

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs Chromium: apt-get install chromium")

FIRST = "grid--mode-int4_sym--ratio-0.6--group_size-32/1"
NONE = "\u2013"
HOSTILE = "</script><img src=x onerror=\"window.owned=1\"><svg onload=window.owned=1> 'x'"
FRONT = "[...document.querySelectorAll('a.front')].map((one) => decodeURIComponent(one.getAttribute('href').slice(3)))"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One tab for all tests of this module."""
    with browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a sweep of twelve points and a failed one, a version outside of it, and one that missed its gate."""
    outputs = tmp_path_factory.mktemp("outputs")
    settings = {"compression.mode": "nf4", "compression.ratio": 0.6, "compression.group_size": 32}
    sweep(outputs, "grid", extra=[point("grid--mode-nf4", settings, "failed", "its stage ended by signal 9")])
    write(outputs, manifest("single", size=4_000_000))
    write(outputs, manifest("strict", None, size=1_000_000))
    return write_page(outputs)


def write_page(outputs: Path) -> Path:
    """Write the page of an outputs folder."""
    found = collect(outputs)
    table = Table(found.rows)
    target = outputs / "report.html"
    target.write_text(as_html(table, table.rows, found.notes, outputs, target), encoding="utf-8")
    return target


@pytest.fixture
def page(tab: Page, report: Path) -> Iterator[Page]:
    """The page, open at the size of a desk; no test may leave an error of a script or a request behind."""
    tab.errors.clear()
    tab.requests.clear()
    tab.screen(1280, 900)
    tab.open(report)
    yield tab
    assert tab.errors == []
    assert {address.partition(":")[0] for address in tab.requests} <= {"file", "about"}


def column(page: Page, name: str) -> list[str]:
    """The texts of a column of the table, from top to bottom."""
    script = f"""(() => {{
      const at = [...document.querySelectorAll("#table-box th button")].findIndex((b) => b.dataset.column === {name!r});
      return [...document.querySelectorAll("#table-box tbody tr")].map((row) => row.children[at].textContent);
    }})()"""
    return list(page.run(script))


def focused(page: Page) -> dict[str, Any]:
    """What has the focus."""
    return dict(
        page.run("""(({tagName, id, className, dataset}) => ({tag: tagName.toLowerCase(), id,
        kind: String(className.baseVal ?? className), column: dataset.column ?? null}))(document.activeElement)""")
    )


def test_it_opens_with_table_plot_and_effects(page: Page) -> None:
    assert page.run("document.getElementById('subtitle').textContent").startswith("15 models · 1 sweep · made 20")
    assert len(column(page, "name")) == 15
    assert page.run("document.querySelectorAll('#plot a.mark').length") == 14
    assert page.run("[...document.querySelectorAll('figcaption')].map((one) => one.textContent)") == [
        *("size against mode", "kl_divergence against mode", "size against ratio", "kl_divergence against ratio"),
        *("size against group_size", "kl_divergence against group_size"),
    ]
    lines = page.run(
        "[...document.querySelectorAll('figure .held')].map((one) => one.getAttribute('d').split('M').length - 1)"
    )
    assert lines == [6, 6, 4, 4, 6, 6]  # a line for each combination of all other keys
    said = page.run("document.querySelector('figure svg').getAttribute('aria-label')")
    assert said == "size against mode, means: int4_sym: 2.87 MB, int4_asym: 2.07 MB"


def test_headings_sort_by_keyboard_and_say_so(page: Page) -> None:
    page.run("document.querySelector('button[data-column=size]').focus()")
    page.press("Enter")
    order = "document.querySelector('button[data-column=size]').closest('th').getAttribute('aria-sort')"
    assert page.run(order) == "ascending"
    sizes = column(page, "size")
    assert sizes[0] == "1.00 MB" and sizes[-2:] == ["4.00 MB", NONE]
    assert focused(page)["column"] == "size"
    page.press("Enter")
    assert page.run(order) == "descending"
    assert column(page, "size")[0] == "4.00 MB" and column(page, "size")[-1] == NONE
    assert page.run("document.querySelectorAll('[aria-sort=none]').length") == 10
    page.press("Tab")
    assert focused(page)["column"] == "size_ratio"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("int4_asym", 6),
        ("size<2.5MB", 7),
        ("mode=int4_sym ratio>=0.8 group_size=64 grid", 2),
        ("kl_divergence>0.002 status!=rejected", 5),
        ("signal", 1),
        ("strange=word", 0),
        ("SINGLE", 1),
    ],
)
def test_the_filter_takes_words_and_conditions(page: Page, text: str, count: int) -> None:
    page.run("document.getElementById('filter').focus()")
    page.type(text)
    page.wait(f"document.querySelectorAll('#table-box tbody tr').length === {count}")
    said = page.run("document.getElementById('count').textContent")
    assert said.startswith(f"{count} of 15." if count else "Nothing fits")


def test_sweep_and_status_choose_rows_for_table_and_plot(page: Page) -> None:
    page.choose("sweep", "none")
    assert column(page, "name") == ["single/1", f"strict/rejected/{sha('strict')[:12]}"]
    assert page.run("document.querySelectorAll('#plot a.mark').length") == 2
    assert page.run("document.getElementById('effects').hidden")
    page.choose("status", "rejected")
    assert column(page, "status") == ["rejectedkl_divergence on dialogue_eval: max is 0.0001, measured 0.001"]


def test_the_front_is_what_no_other_beats(page: Page, report: Path) -> None:
    rows = [row for row in collect(report.parent).rows if row.size and row.status != "rejected"]
    points = {row.ident: (row.size, row.checks[0]["value"]) for row in rows}
    beaten = {
        one
        for (one, a), (_, b) in itertools.product(points.items(), repeat=2)
        if a != b and b[0] <= a[0] and b[1] <= a[1]  # type: ignore[operator]
    }
    front = page.run(FRONT)
    assert set(front) == set(points) - beaten and 1 < len(front) < len(points)
    assert page.run("document.querySelectorAll('a.rejected').length") == 1
    page.choose("y", "same_top_token")  # higher is better, and it is 1 - 10 x the divergence here
    assert set(page.run(FRONT)) == set(front)
    # A shape of its own, not only a colour.
    assert page.run("[...document.querySelectorAll('a.front')].every((one) => one.querySelector('path'))")
    assert page.run("[...document.querySelectorAll('a.dot')].every((one) => !one.querySelector('path'))")


def test_axes_can_be_any_two_numbers(page: Page) -> None:
    choices = page.run("[...document.querySelectorAll('#y option')].map((one) => one.value)")
    assert {"size", "size_ratio", "seconds", "peak_memory", "kl_divergence", "same_top_token", "compression.ratio"} <= {
        *choices
    }
    page.choose("x", "compression.ratio")
    assert "There is no front: neither direction of ratio is better." in page.run(
        "document.getElementById('plot-note').textContent"
    )
    assert page.run("document.querySelectorAll('a.front').length") == 0
    page.choose("x", "peak_memory")
    titles = page.run("[...document.querySelectorAll('#plot .axis')].map((one) => one.textContent)")
    assert titles == ["↑ kl_divergence, nats (lower is better)", "peak memory, MB (lower is better) →"]
    page.run("document.getElementById('log-y').click()")
    assert "logarithmic" in page.run("document.querySelector('#plot .axis').textContent")
    assert "peak memory against mode" in page.run("document.getElementById('effects').textContent")


def test_points_are_reached_by_keyboard_and_show_their_settings(page: Page) -> None:
    page.run("document.getElementById('log-y').focus()")
    page.press("Tab")
    assert "front" in focused(page)["kind"]
    before = page.run("document.activeElement.getAttribute('href')")
    page.press("ArrowRight")
    assert page.run("document.activeElement.getAttribute('href')") != before
    tip = page.run("document.getElementById('tip').innerText")
    assert page.run("!document.getElementById('tip').hidden") and "mode int4_asym" in tip and "kl_divergence: 0." in tip
    page.press("Escape")
    assert page.run("document.getElementById('tip').hidden")
    page.press("Tab")
    assert focused(page)["kind"] != "mark dot"  # the plot is one stop
    page.press("Tab", shift=True)
    page.press("Enter")
    page.wait("!document.getElementById('version').hidden")


def test_a_version_has_a_view_with_all_of_it(page: Page, report: Path) -> None:
    page.run("document.querySelector('#table-box td a').focus()")
    page.press("Enter")
    page.wait("!document.getElementById('version').hidden")
    assert focused(page)["tag"] == "h1" and page.run("document.activeElement.textContent") == FIRST
    assert page.run("document.title").startswith(FIRST)
    text = page.run("document.getElementById('version').innerText")
    heads = page.run("[...document.querySelectorAll('#version h2')].map((one) => one.textContent)")
    assert heads == ["In short", "Checks", "Stages", "Recipe", "Files", "Made with"]
    for said in (
        "group_size: 32",
        "convert to fp16",
        "max 0.01",
        "met",
        "openvino_model.bin",
        "2026.4.1",
        "A model of a test",
    ):
        assert said in text
    links = page.run("[...document.querySelectorAll('#version td a, #version p a')].map((one) => one.href)")
    manifest_link = (report.parent / FIRST / "manifest.json").as_uri()
    assert manifest_link in links
    page.run("history.back()")
    page.wait("!document.getElementById('overview').hidden")
    assert page.run("document.activeElement.getAttribute('aria-label')") == FIRST


def test_a_version_shows_noise_floors_beside_its_checks(tab: Page, tmp_path: Path) -> None:
    tab.errors.clear()
    document = manifest("quiet")
    way = {"key": sha("way"), "value": 3e-9, "reference_value": None, "noise": 3e-9}
    ways = {"threads": way, "defaults": {**way, "noise": 0.0004}}
    document["checks"][0]["noise"] = {"kind": "value", "floor": 3e-9, "within": False, "ways": ways}
    write(tmp_path, document)
    tab.open(write_page(tmp_path), "#v/quiet%2F1")
    heads = tab.run("[...document.querySelectorAll('#version th')].map((one) => one.textContent)")
    assert "Noise floor" in heads
    tab.run("[...document.querySelectorAll('details')].forEach((one) => { one.open = true; })")
    text = tab.run("document.getElementById('version').innerText")
    assert "3e-9" in text and "OpenVINO's defaults" in text and "0.0004" in text
    assert tab.errors == []


def test_a_link_leads_straight_to_a_version(page: Page, report: Path) -> None:
    page.open(report, "#v/" + quote("single/1", safe=""))
    assert page.run("document.querySelector('#version h1').textContent") == "single/1"
    page.open(report, "#v/unknown")
    assert not page.run("document.getElementById('overview').hidden")


def test_what_can_be_used_has_a_name_and_shows_its_focus(page: Page) -> None:
    nameless = page.run("""[...document.querySelectorAll('input, select, button, a, [tabindex]')].filter((one) =>
      one.offsetParent && !one.labels?.length && !one.textContent.trim() && !one.getAttribute('aria-label')
      && !one.getAttribute('aria-labelledby')).map((one) => one.outerHTML.slice(0, 80))""")
    assert nameless == []
    unseen = []
    for _ in range(12):
        page.press("Tab")
        style = page.run(
            "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
        )
        kind = focused(page)
        if style != ["solid", "3px"] and "mark" not in kind["kind"]:
            unseen.append((kind, style))
    assert unseen == []


CONTRAST = """((selector) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const one = document.querySelector(selector);
  let back = one;
  const filled = (node) => (parse(getComputedStyle(node).backgroundColor)[3] ?? 1) > 0;
  while (!filled(back)) back = back.parentElement;
  const style = getComputedStyle(one);
  const front = one instanceof SVGElement ? style.fill : style.color;
  const [a, b] = [light(parse(front)), light(parse(getComputedStyle(back).backgroundColor))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
})"""


@pytest.mark.parametrize("dark", [False, True])
def test_colours_have_contrast_in_both_schemes(page: Page, dark: bool) -> None:
    page.screen(1280, 900, dark=dark)
    texts = (
        "body",
        ".muted",
        ".gate",
        ".badge.published",
        ".badge.failed",
        ".met",
        ".missed",
        "td a",
        ".tick",
        ".axis",
        "th button",
    )
    low = {text: round(page.run(f"{CONTRAST}({json.dumps(text)})"), 2) for text in texts}
    assert all(ratio >= 4.5 for ratio in low.values()), low
    shapes = {text: page.run(f"{CONTRAST}({json.dumps(text)})") for text in ("a.front path", "a.dot circle:not(.halo)")}
    assert all(ratio >= 3 for ratio in shapes.values()), shapes


def brightness(picture: bytes) -> float:
    """The brightness of the first pixel of a PNG, which is background."""
    at, data = 8, b""
    while at < len(picture):
        length = int.from_bytes(picture[at : at + 4])
        data += picture[at + 8 : at + 8 + length] if picture[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    return zlib.decompress(data)[1] / 255  # after the byte that names the line's filter


@pytest.mark.parametrize("fragment", ["", "#v/" + quote(FIRST, safe="")])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_screenshots(page: Page, report: Path, tmp_path: Path, width: int, dark: bool, fragment: str) -> None:
    page.screen(width, 740, dark=dark)
    page.open(report, fragment)
    picture = page.screenshot(tmp_path / "page.png", whole=False)
    assert (brightness(picture) < 0.3) is dark
    assert page.run("document.documentElement.scrollWidth") <= width


def test_a_phone_gets_cards_and_a_list_to_sort_by(page: Page, report: Path) -> None:
    page.screen(360, 740)
    page.open(report)
    assert page.run("getComputedStyle(document.querySelector('#table-box tr td')).display") == "block"
    assert page.run(
        "[...document.querySelectorAll('#table-box td')].every((one) => one.getBoundingClientRect().right <= 360)"
    )
    page.choose("sort", "size:down")
    assert column(page, "size")[0] == "4.00 MB"
    small = page.run("""[...document.querySelectorAll('select, input:not([type=checkbox]), button')]
      .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 32).length""")
    assert small == 0


def test_a_finger_sees_a_point_before_it_opens(page: Page, report: Path) -> None:
    page.screen(360, 740)
    page.open(report)
    page.run("document.getElementById('plot').scrollIntoView()")
    page.tap("a.front")
    page.wait("!document.getElementById('tip').hidden")
    assert page.run("document.getElementById('version').hidden")
    page.tap("#tip a")
    page.wait("!document.getElementById('version').hidden")
    assert page.run("document.getElementById('tip').hidden")


def test_hostile_text_stays_text(tab: Page, tmp_path: Path) -> None:
    document = manifest("hostile", description=HOSTILE, notes=[HOSTILE])
    document["files"]["a'\"><img src=x onerror=window.owned=1>"] = {"sha256": sha("x"), "size": 1}
    document["libraries"] = {HOSTILE: HOSTILE}
    document["checks"][0] |= {"metric": HOSTILE, "dataset": HOSTILE, "values": {HOSTILE: 1.0}}
    write(tmp_path, document)
    settings = [{HOSTILE: value} for value in (HOSTILE, "__proto__")]
    sweep(tmp_path, "s", {}, extra=[point(f"s--{k}", one, "failed", HOSTILE, size=5) for k, one in enumerate(settings)])
    target = write_page(tmp_path)
    tab.errors.clear()
    for fragment in ("", "#v/hostile%2F1", "#v/s--0"):
        tab.open(target, fragment)
        tab.run("[...document.querySelectorAll('details')].forEach((one) => { one.open = true; })")
        assert tab.run("typeof window.owned") == "undefined" and tab.run("document.images.length") == 0
        assert HOSTILE in tab.run("document.body.innerText")
    assert tab.errors == []


def test_one_version_alone_and_only_failures_are_sane(tab: Page, tmp_path: Path) -> None:
    tab.errors.clear()
    write(tmp_path / "one", manifest("single"))
    tab.open(write_page(tmp_path / "one"))
    assert tab.run("document.getElementById('title').textContent") == "single"
    assert column(tab, "status") == ["published"] and tab.run("document.getElementById('trade-off').hidden")
    (tmp_path / "none").mkdir()
    sweep(tmp_path / "none", "s", {}, extra=[point(f"s--a-{n}", {"a": n}, "failed", "no memory") for n in range(3)])
    tab.open(write_page(tmp_path / "none"))
    assert column(tab, "status") == ["failedno memory"] * 3
    assert "No model here has a number for both axes." in tab.run("document.body.innerText")
    assert tab.errors == []


def test_a_thousand_points_stay_quick(tab: Page, tmp_path: Path) -> None:
    grid = {"compression.ratio": [n / 100 for n in range(1, 101)], "compression.group_size": list(range(1, 11))}
    sweep(tmp_path, "big", grid)
    tab.screen(1280, 900)
    start = time.monotonic()
    tab.open(write_page(tmp_path))
    tab.run("document.querySelector('#more button').click()")
    assert tab.run("document.querySelectorAll('#table-box tbody tr').length") == 1000
    for name in ("size", "kl_divergence"):
        tab.run(f"document.querySelector('button[data-column={name}]').click()")
        tab.settle()
    assert column(tab, "kl_divergence")[0].startswith("0.0005")
    tab.run("document.getElementById('filter').focus()")
    tab.type("ratio=0.5")
    tab.wait("document.querySelectorAll('#table-box tbody tr').length === 10")
    assert time.monotonic() - start < 20
