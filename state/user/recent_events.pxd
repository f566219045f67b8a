cimport cython
from state.row.row cimport Row

cdef Py_ssize_t _SIZE

cdef class RecentEvents:
    cdef Row _row
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef bint has(self, unsigned int event) except -1
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef void add(self, unsigned int event)
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef void clear(self)
