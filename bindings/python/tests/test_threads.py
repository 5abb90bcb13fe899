"""Calls let other Python threads run, and each thread reads its own error."""
import ctypes
import sys
import threading

import numpy as np
import pytest

import vkv
from vkv import _library


@pytest.fixture
def no_voluntary_switches():
    """Python code keeps the GIL until it blocks or lets go of it itself."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e6)
    yield
    sys.setswitchinterval(before)


def another_thread_ran_during(call, times):
    """Whether a thread that is ready to run got the GIL while `call` was repeated, and after how many calls."""
    go, ran = threading.Lock(), []
    go.acquire()

    def other():
        with go:
            ran.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    go.release()
    count = 0
    while not ran and count < times:
        call()
        count += 1
    result = bool(ran)
    thread.join()
    return result


def test_calls_release_the_gil(cpu, no_voluntary_switches):
    source, codes = np.ones(1 << 16, "f"), np.zeros(1 << 16, np.uint8)
    dst = vkv.tensor(codes, dtype="e4m3")
    assert another_thread_ran_during(lambda: cpu.convert_fp8(dst=dst, src=source), times=100_000)


def test_that_test_can_fail(no_voluntary_switches):
    keeps_the_gil = ctypes.PyDLL(_library.path).vkv_version
    assert not another_thread_ran_during(keeps_the_gil, times=100_000)


def test_many_threads_share_a_context(cpu):
    """Each thread fails in its own way, with successes between, and must find its own sentence every time."""
    problems = []

    def work(number):
        source, codes = np.full(64, 2.0, "f"), np.zeros(64, np.uint8)
        dst = vkv.tensor(codes, dtype="e4m3")
        for _ in range(200):
            cpu.convert_fp8(dst=dst, src=source)
            try:
                cpu.convert_fp8(dst=vkv.tensor(codes[:number], dtype="e4m3"), src=source)
                problems.append("no error")
            except vkv.InvalidArgumentError as error:
                if f"is 64, expected {number} (" not in str(error):
                    problems.append(str(error))
        if bytes(codes) != b"\x40" * 64:
            problems.append("wrong result")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[:3]
