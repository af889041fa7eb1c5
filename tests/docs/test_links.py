"""Every link in the pages leads somewhere."""

from __future__ import annotations

import pytest

from tests.docs.page import ROOT, Page

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "protocol/SPEC.md"]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_to_a_page_of_ours_resolves(name: str) -> None:
    for link in Page.read(name).links:
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in Page(target.read_text("utf-8")).anchors, link


def test_readme_links_to_every_other_page() -> None:
    assert {*PAGES[1:], "LICENSE"} <= {
        link.partition("#")[0] for link in Page.read("README.md").links
    }
