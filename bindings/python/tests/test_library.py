"""Loading: what VKV_LIBRARY names, clear errors for what is no libvkv, and no package needed but Python's own."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from vkv import _library

PACKAGES = str(pathlib.Path(_library.__file__).parents[1])


def python(program, library=None):
    """Runs a program with this package and the standard library, and nothing else."""
    text = f"import sys; sys.path.insert(0, {PACKAGES!r}); {program}"
    environment = {**os.environ, "VKV_LIBRARY": str(library or os.path.realpath(_library.path))}
    return subprocess.run([sys.executable, "-S", "-E", "-c", text], env=environment, capture_output=True, text=True)


STANDARD_LIBRARY_ONLY = """
from array import array
import vkv
source, codes = array('f', [1, -2]), bytearray(2)
with vkv.Context('cpu') as context:
    context.convert_fp8(dst=vkv.tensor(codes, dtype='e4m3'), src=source)
assert codes == b'\\x38\\xc0', codes
assert not {'numpy', 'torch', 'cffi'} & set(sys.modules), sys.modules
print('done')
"""


def test_needs_nothing_but_the_standard_library():
    result = python(f"exec({STANDARD_LIBRARY_ONLY!r})")
    assert result.stdout == "done\n", result.stderr


def test_a_missing_library(tmp_path):
    result = python("import vkv", tmp_path / "libvkv.so")
    assert "ImportError: libvkv cannot be loaded" in result.stderr and "VKV_LIBRARY" in result.stderr


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
@pytest.mark.parametrize("source, sentence", [
    ("int nothing;", "has no vkv_version: it is not libvkv 1.0 or later"),
    ("".join(f"unsigned {name}(void) {{ return 2000000u; }}" for name in _library._abi.FUNCTIONS),
     "is libvkv 2, this package needs libvkv 1"),
])
def test_other_libraries(tmp_path, source, sentence):
    (tmp_path / "other.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "libother.so", tmp_path / "other.c"], check=True)
    result = python("import vkv", tmp_path / "libother.so")
    assert f"ImportError: {tmp_path}/libother.so {sentence}" in result.stderr
