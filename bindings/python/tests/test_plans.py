"""The plan cache, threads, and the GIL."""

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deformconv import _plan, modulated_deform_conv2d
from reference import random_case


@pytest.fixture(autouse=True)
def empty_cache():
    _plan.plan.cache_clear()
    yield
    _plan.plan.cache_clear()


def run(case):
    return modulated_deform_conv2d(**case.tensors, **case.settings)


def test_a_problem_is_planned_once():
    case = random_case(np.random.default_rng(300), np.float32)
    for _ in range(5):
        run(case)
    info = _plan.plan.cache_info()
    assert (info.misses, info.hits) == (1, 4)


def test_the_cache_is_bounded_and_plans_are_destroyed(monkeypatch):
    destroyed = []
    destroy = _plan.library.dcn_plan_destroy

    class Library:
        def __getattr__(self, name):
            return getattr(library, name)

        def dcn_plan_destroy(self, pointer):
            destroyed.append(pointer)
            destroy(pointer)

    library = _plan.library
    monkeypatch.setattr(_plan, "library", Library())
    case = random_case(np.random.default_rng(301), np.float32, batch=1)
    limit = _plan.plan.cache_info().maxsize
    shared = ("weight", "bias")
    for n in range(1, limit + 11):
        run(case.with_tensors(lambda name, a, n=n: a if name in shared else np.broadcast_to(a, (n, *a.shape[1:]))))
    gc.collect()
    assert _plan.plan.cache_info().currsize == limit
    assert len(destroyed) == len(set(destroyed)) == 10


def test_many_threads_share_plans():
    cases = [random_case(np.random.default_rng(310 + i), np.float32) for i in range(8)]
    expected = [run(case) for case in cases]
    _plan.plan.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        for i, y in enumerate(threads.map(run, cases * 50)):
            np.testing.assert_array_equal(y, expected[i % len(cases)])


def test_plans_may_leave_the_cache_while_they_run():
    case = random_case(np.random.default_rng(330), np.float32)
    expected = run(case)
    with ThreadPoolExecutor(4) as threads:
        results = [threads.submit(run, case) for _ in range(400)]
        while not all(result.done() for result in results):
            _plan.plan.cache_clear()
        for result in results:
            np.testing.assert_array_equal(result.result(), expected)


def test_each_thread_sees_its_own_error():
    def refused(channels):
        x, offset = np.zeros((1, channels, 4, 4), np.float32), np.zeros((1, 2, 4, 4), np.float32)
        with pytest.raises(ValueError) as error:
            modulated_deform_conv2d(x, offset, None, np.zeros((1, channels + 1, 1, 1), np.float32))
        return f"expected [1, {channels}, 1, 1]" in str(error.value)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(refused, range(1, 200)))


def test_the_gil_is_released_during_a_run():
    x, offset = np.ones((1, 64, 128, 128), np.float32), np.zeros((1, 18, 128, 128), np.float32)
    weight, out = np.ones((64, 64, 3, 3), np.float32), np.empty((1, 64, 128, 128), np.float32)
    arguments = dict(x=x, offset=offset, mask=None, weight=weight, padding=1, out=out)
    modulated_deform_conv2d(**arguments)  # the plan: below, the run alone can release the GIL
    started, finished = threading.Event(), []

    def work():
        started.set()
        modulated_deform_conv2d(**arguments)
        finished.append(True)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)  # nobody has to give up the GIL
    try:
        overlapped = 0
        for _ in range(10):
            started.clear(), finished.clear()
            worker = threading.Thread(target=work)
            worker.start()
            started.wait()
            overlapped += not finished
            worker.join()
    finally:
        sys.setswitchinterval(interval)
    assert overlapped > 0
