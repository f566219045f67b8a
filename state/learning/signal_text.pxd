cimport cython

from state.learning.decisions cimport Decision
from state.learning.feedback_log cimport kinds_by_side

cdef double _UNKNOWN

cdef class SignalText:
    cdef object version
    cdef tuple sizes
    cdef tuple facet_of
    cdef list values
    cdef list tiers
    cdef dict contexts
    cdef list explores
    cdef list kinds
    cdef double[::1] weights
    cdef long long[::1] ranks
    @cython.locals(decision=Decision, liked=double, runner_up_liked=double, slot=Py_ssize_t, tier=Py_ssize_t)
    cpdef bytes json(self, object finding, bint explores)
    cdef str _in_context(self, object key, Decision there)
    @cython.locals(found=list, kind=Py_ssize_t, count="long long")
    cdef str _reasons(self, dict counts)
