"""What the pages, but for those of the bindings, say of the interface is in the header.

Every vkv_ and VKV_ name must exist; names may end in * or in _ as a prefix. In a porting page a section whose heading
names an operation is a table with the operation's params fields in its second column: each must exist there, and each
field of the struct must be in the section. The page on vLLM has a section for every operation.

Arguments: the repository's root.
"""
import re
import sys
from pathlib import Path

from pages import pages, without_code

root = Path(sys.argv[1]).resolve()
header = (root / "include/vkv.h").read_text()
# Names that are no part of the interface: build options, symbol nodes, variables of tests.
others = "".join((root / file).read_text() for file in ("CMakeLists.txt", "src/vkv.map", "CONTRIBUTING.md"))


def unknown_names(text):
    known = set(re.findall(r"\b(?:vkv|VKV)_\w+", header + others))
    for name in sorted(set(re.findall(r"\b(?:vkv|VKV)_[A-Za-z0-9_]+", text))):
        if name in known or (name.endswith("_") and any(k.startswith(name) for k in known)):
            continue
        yield f"{name} is not in vkv.h"


def fields(op):
    struct = re.search(r"typedef struct vkv_%s_params \{(.*?)\n\}" % op, header, re.S)
    code = re.sub(r"/\*.*?\*/", "", struct[1], flags=re.S)
    names = re.findall(r"(\w+)\s*[,;]", code)
    return {name for name in names if name not in ("struct_size", "flags") and not name.startswith("reserved")}


def operations(text):
    return set(re.findall(r"^#+ .*`vkv_(\w+)`\s*$", text, re.M))


def wrong_tables(text):
    for section in re.split(r"^#{2,4} ", text, flags=re.M)[1:]:
        op = re.search(r"`vkv_(\w+)`\s*$", section.split("\n", 1)[0])
        if op is None:
            continue
        rows = [row.split("|") for row in section.split("\n") if row.startswith("|")]
        given = {name for row in rows for name in re.findall(r"`(\w+)(?:\.\w+(?:\[\d\])?)?`", row[2])}
        given -= {"flags"}
        for name in sorted(given - fields(op[1])):
            yield f"vkv_{op[1]}_params has no field {name}"
        for name in sorted(fields(op[1]) - given):
            yield f"section of vkv_{op[1]} says nothing of {name}"


all_operations = set(re.findall(r"\} vkv_(\w+)_params;", header)) - {"context"}
problems = []
for page in pages(root):
    if page.is_relative_to(root / "bindings"):  # they have names of their own
        continue
    text = page.read_text()
    found = list(unknown_names(text))
    if page.name.startswith("from-"):
        found += wrong_tables("\n".join(without_code(text)))
    if page.name == "from-vllm.md":
        found += [f"no section on vkv_{op}" for op in sorted(all_operations - operations(text))]
    problems += [f"{page.relative_to(root)}: {problem}" for problem in found]
print("\n".join(problems) or "names: all in vkv.h")
sys.exit(bool(problems))
