"""The checked-in structs are the header's: the generator agrees, the C compiler agrees, cffi agrees."""
import ctypes
import json
import os
import shutil
import subprocess
import sys

import pytest

from vkv import _abi, _library

compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(compiler is None, reason="there is no C compiler")

CONSTANTS = {"VKV_DTYPE_": _abi.Dtype, "VKV_BACKEND_": _abi.Backend, "VKV_OP_": _abi.Op, "VKV_REPORT_": _abi.Report,
             "VKV_CACHE_LAYOUT_": _abi.CacheLayout, "VKV_NVFP4_SCALES_": _abi.Nvfp4Scales,
             "VKV_SCALE_RULE_": _abi.ScaleRule, "VKV_ROPE_": _abi.Rope}


def generator(repository, *arguments):
    return subprocess.run([sys.executable, repository / "scripts" / "generate-python-structs", *arguments],
                          capture_output=True, text=True)


def test_generated_files_are_the_header_s(repository):
    result = generator(repository, "--check")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("old, new", [
    ("int64_t num_tokens;", "int32_t num_tokens;"),
    ("VKV_REPORT_OFFSET = 5", "VKV_REPORT_OFFSET = 7"),
    ("vkv_tensor k_pe;             /* [>= num_tokens, rope_dim] dtype of kv_c */", "vkv_tensor k_pe;"),
    ("vkv_stream stream);", "uint64_t stream);"),
])
def test_the_check_sees_a_changed_header(repository, tmp_path, old, new):
    header = (repository / "include" / "vkv.h").read_text()
    assert old in header
    (tmp_path / "vkv.h").write_text(header.replace(old, new, 1))
    assert generator(repository, "--check", "--header", str(tmp_path / "vkv.h")).returncode == 1


def layout_of_the_compiler(repository, folder):
    program = folder / "layout_dump"
    subprocess.run([compiler, "-std=c11", f"-I{repository}/include", "-o", program,
                    repository / "tests" / "abi" / "layout_dump.c"], check=True)
    return json.loads(subprocess.run([program], check=True, capture_output=True, text=True).stdout)


def differences(layout):
    """What ctypes sees otherwise than the C compiler."""
    found = []
    for name, struct in layout["structs"].items():
        mine = getattr(_abi, name)
        if ctypes.sizeof(mine) != struct["size"]:
            found.append(f"sizeof({name}) is {ctypes.sizeof(mine)}, expected {struct['size']}")
        if [field["name"] for field in struct["fields"]] != [field[0] for field in mine._fields_]:
            found.append(f"{name} has other fields")
            continue
        for field in struct["fields"]:
            at = getattr(mine, field["name"])
            if (at.offset, at.size) != (field["offset"], field["size"]):
                found.append(f"{name}.{field['name']} is {at.size} bytes at {at.offset}, expected {field}")
    for name, value in layout["constants"].items():
        prefix = max((prefix for prefix in CONSTANTS if name.startswith(prefix)), key=len, default=None)
        short = name.removeprefix(prefix or "VKV_")
        mine = CONSTANTS[prefix][short] if prefix else getattr(_abi, short, None) or getattr(_abi.Status, short, None)
        if mine != value:
            found.append(f"{name} is {mine}, expected {value}")
    return found


@needs_compiler
def test_layout_is_the_compiler_s(repository, tmp_path):
    layout = layout_of_the_compiler(repository, tmp_path)
    structs = {name for name in vars(_abi) if name.startswith("vkv_")}
    assert differences(layout) == [] and set(layout["structs"]) == structs
    layout["structs"]["vkv_convert_fp8_params"]["fields"][-1]["offset"] += 4
    layout["structs"]["vkv_copy_blocks_params"]["fields"][-1]["size"] = 4
    layout["constants"]["VKV_ROPE_GPTJ"] = 1
    layout["constants"]["VKV_OK"] = 1
    assert len(differences(layout)) == 4, "the comparison misses planted differences"


@needs_compiler
def test_cffi_works_from_the_header_alone(repository):
    """No word of this package: cffi reads the preprocessed header, loads the library, and converts two numbers."""
    cffi = pytest.importorskip("cffi")
    preprocess = [compiler, "-std=c99", "-E", "-P", "-DVKV_API=", repository / "include" / "vkv.h"]
    header = subprocess.run(preprocess, check=True, capture_output=True, text=True).stdout
    ffi = cffi.FFI()
    ffi.cdef(header)
    library = ffi.dlopen(_library.path)

    context_params = ffi.new("vkv_context_params*", {"backend": library.VKV_BACKEND_CPU})
    context_params.struct_size = ffi.sizeof("vkv_context_params")
    context = ffi.new("vkv_context**")
    assert library.vkv_context_create(context_params, context) == library.VKV_OK
    source, codes = ffi.new("float[2]", [1.0, -2.0]), ffi.new("uint8_t[2]")
    params = ffi.new("vkv_convert_fp8_params*")
    params.struct_size = ffi.sizeof("vkv_convert_fp8_params")
    params.dst = {"data": codes, "dtype": library.VKV_DTYPE_FP8_E4M3, "ndim": 1, "shape": [2]}
    params.src = {"data": source, "dtype": library.VKV_DTYPE_F32, "ndim": 1, "shape": [2]}
    assert library.vkv_convert_fp8(context[0], params, ffi.NULL) == library.VKV_OK
    assert list(codes) == [0x38, 0xC0]
    params.src.stride[0] = -1
    assert library.vkv_convert_fp8(context[0], params, ffi.NULL) == library.VKV_ERROR_INVALID_ARGUMENT
    assert b"src.stride[0] is -1" in ffi.string(library.vkv_last_error_message())
    library.vkv_context_destroy(context[0])
