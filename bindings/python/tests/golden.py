"""Reads and runs golden cases: calls with the bytes that they must leave, as text (format: tests/golden/README.md)."""
import math
from dataclasses import dataclass, field

import numpy as np

import vkv

HOST = {"swap_blocks": ["block_mapping"], "swap_blocks_batch": ["src_ptrs", "dst_ptrs", "sizes"],
        "copy_blocks": ["key_caches", "value_caches"]}


@dataclass
class Case:
    name: str
    op: str = ""
    tensors: dict = field(default_factory=dict)   # field: (dtype, shape, strides or None, bytes or None)
    scalars: dict = field(default_factory=dict)
    status: int = None
    message: str = ""
    exact: dict = field(default_factory=dict)     # field: bytes
    close: dict = field(default_factory=dict)     # field: (relative L2, dtype, bytes)
    report: tuple = None                          # (what, count)


def integers(text):
    return () if text == "-" else tuple(int(word) for word in text.split(","))


def storage(text):
    if text == "null":
        return None
    return bytes(int(text[5:])) if text.startswith("zero:") else bytes.fromhex(text)


def parse(text):
    """The cases of a file. Anything unknown is an error."""
    cases, case = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            word, _, rest = line.strip().partition(" ")
            if (case is None) != (word == "case"):
                raise ValueError("outside a case, or a case within one")
            if word == "case":
                case = Case(rest)
            elif word == "end":
                if not case.op or case.status is None:
                    raise ValueError("a case needs op and status")
                cases, case = cases + [case], None
            elif word == "op":
                case.op = vkv.Op[rest.upper()].name.lower()
            elif word == "tensor":
                name, dtype, shape, strides, data = rest.split()
                case.tensors[name] = dtype, integers(shape), integers(strides) or None, storage(data)
            elif word == "scalar":
                name, value = rest.split()
                case.scalars[name] = int(value) if value.lstrip("-").isdigit() else float(value)
            elif word == "status":
                case.status = int(rest)
            elif word == "message":
                case.message = rest
            elif word == "expect" and rest.split()[1] == "exact":
                name, _, data = rest.split()
                case.exact[name] = storage(data)
            elif word == "expect" and rest.split()[1] == "close":
                name, _, limit, dtype, data = rest.split()
                case.close[name] = float(limit), dtype, storage(data)
            elif word == "report":
                what, count = rest.split()
                case.report = vkv.Report[what.removeprefix("VKV_REPORT_")], int(count)
            else:
                raise ValueError(f"unknown directive {word}")
        except (ValueError, KeyError, IndexError) as error:
            raise ValueError(f"line {number}: {error}: {line[:80]}") from error
    if case is not None:
        raise ValueError(f"case {case.name} has no end")
    return cases


def numbers(data, dtype):
    """Storage as float64."""
    if dtype == "bf16":
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).astype(float)
    return np.frombuffer(data, {"f16": np.float16, "f32": np.float32}[dtype]).astype(float)


def relative_l2(got, expected):
    """Infinities and NaN must be where they are expected."""
    odd = ~np.isfinite(expected)
    if not np.array_equal(got[odd], expected[odd], equal_nan=True):
        return math.inf
    got, expected = got[~odd], expected[~odd]
    size = np.linalg.norm(expected)
    return np.linalg.norm(got - expected) / (size if size else 1)


def call(case, device, stored):
    fields = {}
    for name, (dtype, shape, strides, data) in case.tensors.items():
        if data is None:
            fields[name] = vkv.Tensor(0, dtype, shape, strides)
            continue
        stored[name] = device.store(data, dtype, shape, strides, host=name in HOST.get(case.op, []))
        fields[name] = stored[name].tensor
    fields.update(case.scalars)
    if "workspace_size" in fields:  # told instead of the true size
        told = fields.pop("workspace_size")
        fields["workspace"] = lambda size: vkv.tensor(device.store(bytes(size + 255), "u8", (told,)).tensor)
    elif device.workspace and hasattr(device.context, f"{case.op}_workspace_size"):
        fields["workspace"] = device.workspace
    getattr(device.context, case.op)(**fields, stream=device.stream)


def run(case, device):
    """Runs a case on a device; an assertion tells what differs."""
    stored = {}
    status, message = 0, ""
    try:
        call(case, device, stored)
    except vkv.VkvError as error:
        status, message = int(error.status), str(error)
    assert status == case.status, f"status {status}, expected {case.status}: {message}"
    assert case.message in message, f"message {message!r}, expected {case.message!r} in it"
    assert set(case.exact) | set(case.close) <= set(stored), "an expectation of a tensor that the case has not"
    for name, expected in case.exact.items():
        assert stored[name].bytes().hex() == expected.hex(), f"{name} has other bytes"
    for name, (limit, dtype, expected) in case.close.items():
        got = numbers(stored[name].bytes(), case.tensors[name][0])
        assert len(got) and relative_l2(got, numbers(expected, dtype)) <= limit, f"{name} has other values"
    report = device.context.read_device_report()
    found = report and (report.what, report.count)
    assert found == case.report, f"report {found}, expected {case.report}"
