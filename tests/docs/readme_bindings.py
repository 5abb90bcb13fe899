"""The README's Python, Rust or Go block runs against the bindings of this tree and computes what the C program does.

Arguments: python, rust or go; repository's root; a folder to work in; the library. Exit status 77: no toolchain here.
"""
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pages import code_blocks

language, root, scratch, library = sys.argv[1:]
root, scratch, library = Path(root).resolve(), Path(scratch), Path(library).resolve()

# Around the block: what it leaves out, and a line that prints the first number of the result. Values 1, 2 and 3 of three
# tokens have the mean 2; the Rust and Go blocks only attend, so there all values are 2.
PYTHON = """import numpy as np
keys, values = np.zeros((2, 3, 1, 64), np.float32)
values += np.arange(1, 4, dtype=np.float32)[:, None, None]
query, out = np.zeros((2, 1, 1, 64), np.float32)
k_cache, v_cache = np.zeros((2, 4, 16, 1, 64), np.float32)
slots, table, lengths = np.array([32, 33, 34]), np.array([[2]], np.int32), np.array([3], np.int32)
%s
print(f"{out[0, 0, 0]:g}")
"""
RUST = """fn main() -> Result<(), Box<dyn std::error::Error>> {
let (query, mut out, k_cache, v_cache) = (vec![0f32; 64], vec![0f32; 64], vec![0f32; 4096], vec![2f32; 4096]);
let (table, lengths) = ([2i32], [3i32]);
%s
println!("{}", out[0]);
Ok(())
}
"""
GO = """package main

import (
	"fmt"

	vkv "github.com/libvkv/libvkv/bindings/go"
)

func main() {
	query, out, kCache, vCache := make([]float32, 64), make([]float32, 64), make([]float32, 4096), make([]float32, 4096)
	for i := range vCache {
		vCache[i] = 2
	}
	table, lengths := []int32{2}, []int32{3}
%s
	if err != nil {
		panic(err)
	}
	fmt.Println(out[0])
}
"""
CARGO = f"""[package]
name = "readme"
version = "0.0.0"
edition = "2021"
[dependencies]
vkv = {{ path = "{root}/bindings/rust/vkv" }}
[workspace]
"""
GO_MOD = f"""module readme

go 1.19

require github.com/libvkv/libvkv/bindings/go v0.0.0

replace github.com/libvkv/libvkv/bindings/go => {root}/bindings/go
"""


def skip(what):
    print(f"skipped: {what} is not here")
    sys.exit(77)


def write(name, text):
    path = scratch / language / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


block = [code for name, _, code in code_blocks((root / "README.md").read_text()) if name == language]
if len(block) != 1:
    sys.exit(f"README.md has {len(block)} blocks of {language}, expected 1")
environment = dict(os.environ, LD_LIBRARY_PATH=str(library.parent))
if language == "python":
    if importlib.util.find_spec("numpy") is None:
        skip("numpy")
    environment.update(VKV_LIBRARY=str(library), PYTHONPATH=str(root / "bindings/python/src"))
    command = [sys.executable, "-B", write("readme.py", PYTHON % block[0])]
elif language == "rust":
    if shutil.which("cargo") is None:
        skip("cargo")
    write("Cargo.toml", CARGO)
    write("src/main.rs", RUST % block[0])
    environment.update(VKV_LIB_DIR=str(library.parent))
    command = ["cargo", "run", "--quiet", "--offline"]
else:
    if shutil.which("go") is None:
        skip("go")
    write("go.mod", GO_MOD)
    write("main.go", GO % block[0])
    environment.update(CGO_CFLAGS=f"-I{root}/include", CGO_LDFLAGS=f"-L{library.parent}", GOFLAGS="-mod=mod")
    command = ["go", "run", "."]
done = subprocess.run(command, cwd=scratch / language, env=environment, capture_output=True, text=True)
print(done.stdout + done.stderr)
sys.exit(done.returncode != 0 or done.stdout != "2\n")
