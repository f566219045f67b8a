"""Pages at the root of the repository as pages of the site, with links that lead within the site."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def included_page(name: str) -> str:
    """Return a page of the root."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.sub(r"\]\(docs/", "](", text)
