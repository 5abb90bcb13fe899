"""Every relative link in the Markdown files leads to a file, and every #anchor to a heading.

Arguments: the repository's root.
"""
import re
import sys
from pathlib import Path

from pages import pages, without_code


def anchor(heading):
    """A heading's anchor as Git hosts build it."""
    text = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    return {anchor(line.lstrip("#")) for line in without_code(path.read_text()) if line.startswith("#")}


def broken(root):
    for page in pages(root):
        for line in without_code(page.read_text()):
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, fragment = target.partition("#")
                file = (page.parent / name).resolve() if name else page
                if not file.exists():
                    yield f"{page.relative_to(root)}: {target} is not there"
                elif fragment and fragment not in anchors(file):
                    yield f"{page.relative_to(root)}: {target} names no heading"


root = Path(sys.argv[1]).resolve()
problems = list(broken(root))
print("\n".join(problems) or f"links of {len(pages(root))} pages: all there")
sys.exit(bool(problems))
