cimport cython

from state.learning.decisions cimport Decision
from state.row.row cimport Row

cdef double _MOVED
cdef double _EVIDENCE_MOVED
cdef long long _LEAST_UNITS

cdef class Emitted:
    cdef readonly Row row
    cdef readonly Py_ssize_t facets
    @cython.locals(row=Row)
    cpdef object retract(self, Py_ssize_t facet)
    @cython.locals(row=Row, slot=Py_ssize_t, confidence=double)
    cpdef bint differs(self, Py_ssize_t facet, Decision decision) except -1
    @cython.locals(row=Row)
    cpdef Py_ssize_t rank(self, Py_ssize_t facet, Py_ssize_t place) except -1
    @cython.locals(row=Row, place=Py_ssize_t)
    cpdef object free(self, Py_ssize_t facet, object rows)
    @cython.locals(row=Row, slot=Py_ssize_t, place=Py_ssize_t)
    cpdef object record(self, Py_ssize_t facet, Decision decision, long long at_ms)
    cpdef object record_in(self, Py_ssize_t facet, Py_ssize_t place, Py_ssize_t rank)
    @cython.locals(row=Row)
    cpdef bint is_due(self, Py_ssize_t facet, long long before_ms) except -1
    @cython.locals(row=Row, place=Py_ssize_t, facet=Py_ssize_t, rank=Py_ssize_t)
    cpdef bytes served(self, object careful, object rows, object ranked)

cdef bint _has_moved(long long emitted, long long present)
