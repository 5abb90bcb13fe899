"""The golden cases, through the package's methods; and that the runner sees what is wrong."""
import pathlib

import pytest

import golden
import vkv
from devices import Numpy

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "tests" / "golden"
FILES = [path for op in vkv.Op for path in FOLDER.glob(f"{op.name.lower()}.txt")]
CASES = [case for path in FILES for case in golden.parse(path.read_text())]

# e4m3 codes of 1, -2 and 0.5 times 4, in rows of two; and a write to a slot past the end.
EXAMPLE = """
# comment
case widening with own strides
op convert_fp8
tensor dst f32 3,1 2,1 zero:20
tensor src e4m3 3,1 - 38c030
scalar scale 4.0
status 0
expect dst close 1e-07 f32 0000804000000000000000c10000000000000040
expect src exact 38c030
end

case slot past the end
op concat_and_cache_mla
tensor kv_c u8 1,1 - 01
tensor k_pe u8 1,1 - 02
tensor kv_cache u8 1,1,2 - 0909
tensor slot_mapping i64 1 - 0700000000000000
status 100
message kv_c.dtype is u8, expected f16 or bf16 or f32
expect kv_cache exact 0909
end

case slot past the end, floats
op concat_and_cache_mla
tensor kv_c f16 1,1 - 003c
tensor k_pe f16 1,1 - 0040
tensor kv_cache f16 1,1,2 - 09090909
tensor slot_mapping i64 1 - 0700000000000000
status 0
expect kv_cache exact 09090909
report VKV_REPORT_SLOT 1
end
"""


@pytest.mark.parametrize("case", golden.parse(EXAMPLE), ids=lambda case: case.name)
def test_example(case, device):
    golden.run(case, device)


@pytest.mark.skipif(not CASES, reason="the checkout has no tests/golden")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op}: {case.name}")
def test_golden(case, device):
    if "workspace_size" in case.scalars and device.backend != "cpu":
        pytest.skip("what is too small differs by backend")
    golden.run(case, device)


@pytest.mark.parametrize("change, to, sees", [
    ("scale 4.0", "scale 2.0", "dst has other"),
    ("3,1 2,1 zero:20", "3,1 - zero:20", "dst has other"),
    ("expect src exact 38c030", "expect src exact 38c031", "src has other"),
    ("status 100", "status 0", "status 100, expected 0"),
    ("message kv_c.dtype is u8", "message kv_c.dtype is i32", "message .* expected .*i32"),
    ("REPORT_SLOT 1", "REPORT_SLOT 2", "report .* expected"),
    ("REPORT_SLOT 1", "REPORT_BLOCK_ID 1", "report .* expected"),
    ("report VKV_REPORT_SLOT 1", "", "report .* expected"),
], ids=lambda text: text)
def test_runner_fails_on_a_planted_fault(change, to, sees):
    assert change in EXAMPLE
    device = Numpy()
    with vkv.Context("cpu") as device.context, pytest.raises(AssertionError, match=sees):
        for case in golden.parse(EXAMPLE.replace(change, to)):
            golden.run(case, device)


@pytest.mark.parametrize("text", [
    "case a\nstride 1\nend", "case a\nop nothing\nend", "case a\nop convert_fp8\nend", "op convert_fp8", "case a",
    "case a\nop convert_fp8\nstatus 0\nexpect dst roughly 00\nend",
])
def test_parser_refuses_what_it_does_not_know(text):
    with pytest.raises(ValueError):
        golden.parse(text)


def test_unknown_field_is_refused():
    device = Numpy()
    case = golden.parse(EXAMPLE.replace("scalar scale 4.0", "scalar scalar 4.0"))[0]
    with vkv.Context("cpu") as device.context, pytest.raises(TypeError, match="scalar"):
        golden.run(case, device)
