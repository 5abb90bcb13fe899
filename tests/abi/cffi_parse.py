"""cffi takes the preprocessed header as it is, and sees the same layout as the C compiler.

Arguments: C compiler, folder of vkv.h, the layout dump program. Exit status 77: cffi is not here.
"""
import json
import subprocess
import sys

try:
    import cffi
except ImportError:
    print("skipped: python3 has no cffi")
    sys.exit(77)

compiler, include, dump = sys.argv[1:]
text = subprocess.run([compiler, "-std=c99", "-E", "-P", "-DVKV_API=", f"{include}/vkv.h"],
                      check=True, capture_output=True, text=True).stdout
ffi = cffi.FFI()
ffi.cdef(text)

layout = json.loads(subprocess.run([dump], check=True, capture_output=True, text=True).stdout)
wrong = []
for name, struct in layout["structs"].items():
    if ffi.sizeof(name) != struct["size"]:
        wrong.append(f"sizeof({name}) is {ffi.sizeof(name)}, expected {struct['size']}")
    for field in struct["fields"]:
        if ffi.offsetof(name, field["name"]) != field["offset"]:
            wrong.append(f"{name}.{field['name']} is at {ffi.offsetof(name, field['name'])}, expected {field['offset']}")
    if [field["name"] for field in struct["fields"]] != [name for name, _ in ffi.typeof(name).fields]:
        wrong.append(f"{name} has other fields for cffi")
constants = ffi.dlopen(None)
for name, value in layout["constants"].items():
    if hasattr(constants, name) and getattr(constants, name) != value:
        wrong.append(f"{name} is {getattr(constants, name)}, expected {value}")
print("\n".join(wrong) or f"{len(layout['structs'])} structs agree")
sys.exit(1 if wrong else 0)
