"""Every C block of the pages compiles; a block with a main() also runs, and prints the ```text block that follows it.

Other blocks are statements: they are compiled inside a function, after fragment.h. Those that call CUDA are left out
where its headers are not.

Arguments: repository's root, C compiler, a folder to work in, the library, the folder of CUDA's headers (may be empty).
"""
import subprocess
import sys
from pathlib import Path

from pages import code_blocks, pages

root, compiler, scratch, library, cuda = [*sys.argv[1:], ""][:5]
root, scratch, library = Path(root).resolve(), Path(scratch), Path(library)
scratch.mkdir(parents=True, exist_ok=True)
flags = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{root}/include"]
if cuda:
    flags += ["-isystem", cuda]
problems, compiled, ran, left_out = [], 0, 0, 0


def failure(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr + done.stdout if done.returncode != 0 else None


for page in pages(root):
    blocks = list(code_blocks(page.read_text()))
    for index, (language, line, code) in enumerate(blocks):
        if language != "c":
            continue
        where = f"{page.relative_to(root)}:{line}"
        source = scratch / f"{page.stem}_{line}.c"
        place = f'#line {line} "{page}"\n'
        if "int main(" in code:
            source.write_text(place + code)
            program = source.with_suffix("")
            wrong = failure([*flags, str(source), "-o", str(program), str(library), "-lm",
                             f"-Wl,-rpath,{library.parent}"])
            if wrong is None:
                done = subprocess.run([str(program)], capture_output=True, text=True)
                ran += 1
                follows = blocks[index + 1] if index + 1 < len(blocks) else ("", 0, "")
                expected = follows[2] if follows[0] == "text" else done.stdout
                if done.returncode != 0 or done.stdout != expected:
                    wrong = f"exit {done.returncode}, printed\n{done.stdout}{done.stderr}"
        elif "cuda" in code and not cuda:
            left_out += 1
            continue
        else:
            prelude = "#include <cuda_runtime_api.h>\n" if "cuda" in code else ""
            source.write_text(f'{prelude}#include "{root}/tests/docs/fragment.h"\n'
                              f"void fragment(void);\nvoid fragment(void) {{\n{place}{code}}}\n")
            wrong = failure([*flags, "-Wno-unused-variable", "-Wno-unused-but-set-variable", "-fsyntax-only", str(source)])
        compiled += 1
        if wrong is not None:
            problems.append(f"{where}: {wrong}")
print("\n".join(problems) or f"C blocks: {compiled} compiled, {ran} of them run, {left_out} left out (no CUDA headers)")
sys.exit(bool(problems))
