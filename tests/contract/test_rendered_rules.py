"""What `rules render` and `runbooks build` write: rules and runbooks with an installation's addresses and mode."""

from __future__ import annotations

import html.parser
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch import alerting, resources
from closewatch.alerting import rules as rendering

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "alerting" / "rules"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def alerts(file: Any) -> list[dict[str, Any]]:
    return [rule for group in file["groups"] for rule in group["rules"] if "alert" in rule]


def test_without_options_the_files_are_those_that_are_shipped(tmp_path: Path) -> None:
    written = alerting.render(tmp_path / "new" / "folder")
    assert [path.name for path in written] == sorted(path.name for path in SHIPPED.glob("*.yml"))
    assert all(path.read_bytes() == (SHIPPED / path.name).read_bytes() for path in written)


def test_every_link_gets_the_installations_address(tmp_path: Path) -> None:
    alerting.render(
        tmp_path, runbook_base="https://wiki.example.com/rb/", grafana_base="http://grafana.example.com:3000"
    )
    for path in tmp_path.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        assert "docs.closewatch.example" not in text
        for rule in alerts(read(path)):
            given = rule["annotations"]
            assert given["runbook_url"] == f"https://wiki.example.com/rb/{rule['alert']}"
            assert given["dashboard_url"].startswith("http://grafana.example.com:3000/d/closewatch-")


def test_observe_mode_marks_each_alert_and_changes_nothing_else(tmp_path: Path) -> None:
    for path in alerting.render(tmp_path, mode="observe"):
        shipped, marked = read(SHIPPED / path.name), read(path)
        for rule in alerts(shipped):
            rule["labels"]["closewatch_mode"] = "observe"
        assert marked == shipped
        assert path.read_text(encoding="utf-8").count("# ") == (SHIPPED / path.name).read_text().count("# ")


def test_what_is_rendered_loads(promtool: Path, tmp_path: Path) -> None:
    written = alerting.render(tmp_path, runbook_base="https://wiki.example.com/rb?page=", mode="observe")
    command = [str(promtool), "check", "rules", "--lint=all", "--lint-fatal", *map(str, written)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mode": "quiet"}, "mode: 'quiet' is not one of notify, observe"),
        ({"runbook_base": "wiki.example.com"}, "runbook-base: 'wiki.example.com' is not an address"),
        ({"runbook_base": "https://x/ #"}, "runbook-base"),
        ({"grafana_base": "https://x/{{ .Value }}"}, "grafana-base"),
        ({"grafana_base": "https://x\n  evil: true"}, "grafana-base"),
    ],
)
def test_what_could_break_the_file_is_refused_and_nothing_written(
    options: dict[str, str], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        alerting.render(tmp_path / "rules", **options)
    assert not (tmp_path / "rules").exists()


def test_shortened_rules_wait_shorter_and_are_otherwise_the_same() -> None:
    shipped = alerting.load()["postgresql.yml"]
    short = alerting.shortened(shipped, 30)
    down, same = (next(rule for rule in alerts(file) if rule["alert"] == "PostgresqlDown") for file in (short, shipped))
    assert (down["for"], down["keep_firing_for"]) == ("2s", "10s")
    assert (same["for"], same["keep_firing_for"]) == ("1m", "5m")
    assert {**down, "for": "1m", "keep_firing_for": "5m"} == same
    assert all(rendering.seconds(rule.get("for", "1s")) >= 1 for rule in alerts(alerting.shortened(shipped, 1e6)))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("1d", 86400), ("500ms", 0.5)])
def test_durations(text: str, seconds: float) -> None:
    assert rendering.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "5m!"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        rendering.seconds(text)


class Links(html.parser.HTMLParser):
    """Collects the links of a page, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag in {"script", "link", "img", "iframe"}:
            self.loads.append(tag)


def test_the_pages_have_every_runbook_and_lead_to_each_other(tmp_path: Path) -> None:
    written = alerting.build_runbooks(tmp_path)
    names = {path.stem for path in (ROOT / "alerting" / "runbooks").glob("*.md")}
    assert {path.parent.name for path in written[1:]} == names
    index = Links()
    index.feed(written[0].read_text(encoding="utf-8"))
    assert set(index.links) == {f"{name}/index.html" for name in names}
    for path in written:
        page = Links()
        page.feed(path.read_text(encoding="utf-8"))
        assert page.loads == []
        for link in page.links:
            assert link.startswith("https://") or (path.parent / link.partition("#")[0]).is_file(), link


def test_a_page_shows_the_runbook_and_no_markup_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "A.md").write_text(
        "---\nalert: A\nlayer: <b>\nrelated: {causes: [B]}\n---\n# A\n\n<script>x</script>\n\n[B](B.md#end) `a|b`\n"
    )
    (folder / "B.md").write_text("---\nalert: B\n---\n# B\n")
    monkeypatch.setattr(alerting.runbooks, "find_data", lambda _: folder)
    alerting.build_runbooks(tmp_path / "pages")
    page = (tmp_path / "pages" / "A" / "index.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;x" in page
    assert "<td>&lt;b&gt;</td>" in page
    assert '<a href="../B/index.html#end">B</a>' in page
    assert '<td><a href="../B/index.html">B</a></td>' in page


def test_a_runbook_without_front_matter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "A.md").write_text("# A\n")
    monkeypatch.setattr(alerting.runbooks, "find_data", lambda _: tmp_path)
    with pytest.raises(ValueError, match=r"A\.md: begins with no front matter"):
        alerting.build_runbooks(tmp_path / "pages")


def test_shipped_files_are_found_in_a_package_before_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "exporters" / "closewatch"
    monkeypatch.setattr(resources, "_PACKAGE", package)
    with pytest.raises(FileNotFoundError, match="alerting/rules is not part of this installation"):
        resources.find_data("alerting/rules")
    (tmp_path / "alerting" / "rules").mkdir(parents=True)
    assert resources.find_data("alerting/rules") == tmp_path / "alerting" / "rules"
    (package / "_data" / "alerting" / "rules").mkdir(parents=True)
    assert resources.find_data("alerting/rules") == package / "_data" / "alerting" / "rules"
