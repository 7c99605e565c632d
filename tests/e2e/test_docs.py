"""The pages are true: each command shown is run, and its output is what the page shows."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.pages import BLOCK, play
from tests.support.repository import REPOSITORY

ELSEWHERE = {
    "cli.md",  # generated
    "company-template.md",  # test_company_template.py runs it with releases of its own
}
PAGES = sorted(
    str(page.relative_to(REPOSITORY))
    for page in (REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("**/*.md"))
    if BLOCK.search(page.read_text()) and page.name not in ELSEWHERE
)


@pytest.mark.needs("docker", "local", "helm")
@pytest.mark.parametrize("page", PAGES)
def test_commands_print_what_the_page_shows(page: str, tmp_path: Path) -> None:
    shop = tmp_path / f"shop-{os.getpid()}-{PAGES.index(page)}"  # Compose names its volumes so
    shop.mkdir()
    play(page, shop, "svcgen down --volumes")


CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize(
    "page", [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")], ids=str
)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(CODE.sub("", page.read_text())):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"
