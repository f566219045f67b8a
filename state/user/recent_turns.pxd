cimport cython
from state.row.row cimport Row

cdef Py_ssize_t _NONE, _SIZE
cdef double _ROUNDING

cdef class RecentTurns:
    cdef Row _row
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t, is_new=bint, left=double)
    cpdef (Py_ssize_t, bint, bint, double) observe(self, unsigned int turn, double weight, bint disliked, bint sensitive)
    cpdef double used(self, Py_ssize_t place) except -1
    @cython.locals(row=Row, at=Py_ssize_t)
    cpdef void use(self, Py_ssize_t place, double weight)
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef void clear(self)
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cdef Py_ssize_t _find(self, unsigned int turn) except -2
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cdef Py_ssize_t _add(self, unsigned int turn) except -1
    @cython.locals(row=Row, at=Py_ssize_t, bit=int, is_first=bint)
    cdef bint _is_first_dislike(self, Py_ssize_t place) except -1
