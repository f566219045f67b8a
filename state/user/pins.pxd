cimport cython
from state.row.row cimport Row

cdef int _NONE, _PINS

cdef class Pins:
    cdef Row _row
    cdef Py_ssize_t _facets
    @cython.locals(row=Row, at=Py_ssize_t)
    cpdef object get(self, Py_ssize_t facet)
    @cython.locals(row=Row, at=Py_ssize_t)
    cpdef void put(self, Py_ssize_t facet, int slot, long long at_ms)
    @cython.locals(row=Row, at=Py_ssize_t, facet=Py_ssize_t)
    cpdef void clear(self)
    @cython.locals(row=Row, at=Py_ssize_t, facet=Py_ssize_t)
    cpdef bint is_any(self) except -1
    @cython.locals(row=Row, at=Py_ssize_t, slot=int)
    cpdef bint is_set(self, Py_ssize_t facet, object catalogue) except -1
