"""The README's program and the example do what they say."""
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"


def test_readme():
    program, = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    names = {}
    exec(program, names)
    np.testing.assert_array_equal(names["out"], 1)


@pytest.mark.parametrize("plant, status", [(None, 0), (("row[column] = free.pop()", "row[column] = 7"), 1)])
def test_decode_step(repository, tmp_path, plant, status):
    """Exit status 0, and 1 where sequences are made to share a block."""
    program = (repository / "examples" / "python" / "decode_step.py").read_text()
    if plant:
        assert plant[0] in program
        program = program.replace(*plant)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == status, result.stderr
    assert re.fullmatch(r"decode step: max error \d\.\de[-+]\d\d over 3 sequences\n", result.stdout)
