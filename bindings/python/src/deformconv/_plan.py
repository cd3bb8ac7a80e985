"""Plans, made once for each problem. The caches are bounded, and safe for threads as functools.lru_cache is."""

import weakref
from ctypes import byref, c_void_p, sizeof
from functools import lru_cache

from . import _structs as structs
from ._library import check, library
from ._problem import Problem


class Handle:
    """Owns what a create function of the library returned."""

    def __init__(self, create, destroy, *arguments):
        self.pointer = c_void_p()
        check(create(*arguments, byref(self.pointer)))
        # Not at exit: daemon threads may still be running a plan then.
        weakref.finalize(self, destroy, self.pointer.value).atexit = False


@lru_cache(maxsize=16)
def context(num_threads):
    """The context whose runs use that many threads."""
    config = structs.ContextConfig(struct_size=sizeof(structs.ContextConfig), num_threads=num_threads)
    return Handle(library.dcn_context_create, library.dcn_context_destroy, byref(config))


class Plan:
    """A checked problem that runs on given addresses (int, or None for an absent tensor) from any thread."""

    def __init__(self, problem: Problem, direction, num_threads):
        # The library keeps what a plan needs of its context.
        owner = context(num_threads).pointer if num_threads else None
        c_problem = problem.to_c(direction)
        self._handle = Handle(library.dcn_plan_create, library.dcn_plan_destroy, owner, byref(c_problem))

    def forward(self, **addresses):
        args = structs.ForwardArgs(struct_size=sizeof(structs.ForwardArgs), **addresses)
        check(library.dcn_plan_forward(self._handle.pointer, byref(args)))

    def backward(self, accumulate=0, **addresses):
        args = structs.BackwardArgs(struct_size=sizeof(structs.BackwardArgs), accumulate=accumulate, **addresses)
        check(library.dcn_plan_backward(self._handle.pointer, byref(args)))


@lru_cache(maxsize=256)
def plan(problem: Problem, direction, num_threads=0):
    """The plan of one pass; num_threads 0 = the process-wide context of the library."""
    return Plan(problem, direction, num_threads)


@lru_cache(maxsize=256)
def output_shape(problem: Problem):
    """The shape of y that the other tensors and the settings imply."""
    y = structs.TensorDesc()
    check(library.dcn_output_shape(byref(problem.to_c(structs.FORWARD)), byref(y)))
    return tuple(y.dims[: y.rank])
