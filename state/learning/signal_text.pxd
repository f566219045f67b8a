cimport cython
from libc cimport math

from state.learning.decisions cimport Decision, Finding
from state.learning.feedback_log cimport kinds_by_side

cdef double _UNKNOWN
cdef double _CLEAR

cdef class RoundedText:
    cdef int digits
    cdef double scale
    cdef double top
    cdef list texts
    @cython.locals(scaled=double, nearest=double)
    cpdef str of(self, double number)

cdef RoundedText _TENTHS
cdef RoundedText _THOUSANDTHS
cdef RoundedText _EXPLORED

cdef class SignalText:
    cdef str made_by
    cdef tuple sizes
    cdef tuple facet_of
    cdef list values
    cdef list tiers
    cdef dict contexts
    cdef list explores
    cdef list counted
    cdef double[::1] weights
    cdef long long[::1] ranks
    @cython.locals(
        decision=Decision, at_ms="long long", gap=double, slot=Py_ssize_t, tier=Py_ssize_t, is_tried=bint, is_own=bint
    )
    cpdef bytes json(self, Finding finding, bint explores)
    cdef str _in_context(self, object key, Decision there)
    @cython.locals(found=list, kind=Py_ssize_t, count="long long")
    cdef str _reasons(self, dict counts)
