"""The Markdown pages of the project, and how to read them."""
import re


def pages(root):
    folders = ("docs", "examples", "bindings")
    found = [*root.glob("*.md"), *(page for folder in folders for page in (root / folder).rglob("*.md"))]
    hidden = {"node_modules", "target", "build"}
    return sorted(page for page in found if not any(part in hidden or part.startswith(".")
                                                    for part in page.relative_to(root).parts))


def without_code(text):
    """The lines outside fenced code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S).split("\n")


def code_blocks(text):
    """(language, line number, code) of each fenced block."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.M | re.S):
        yield match[1], text.count("\n", 0, match.start()) + 2, match[2]
