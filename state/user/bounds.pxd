cimport cython

from state.row.row cimport Row

cdef int _HALF
cdef int _ALL_PARTS
cdef long long _LATEST_MS
cdef int _PLACES

cdef class Bounds:
    cdef readonly object _layout
    cdef Py_ssize_t _size
    cdef int _topics
    cdef Py_ssize_t _start8
    cdef Py_ssize_t _start4
    cdef Py_ssize_t _start2
    cdef Py_ssize_t _start1
    cdef const unsigned long long[::1] _limits8
    cdef const unsigned int[::1] _limits4
    cdef const unsigned int[::1] _masks4
    cdef const unsigned short[::1] _limits2
    cdef const unsigned char[::1] _limits1
    @cython.locals(at=Py_ssize_t, place=Py_ssize_t)
    cpdef object check(self, Row row)
    @cython.locals(start=Py_ssize_t, index=Py_ssize_t)
    cdef Py_ssize_t _first_wrong(self, Row row, Py_ssize_t base) except -2
    @cython.locals(at=Py_ssize_t, sessions=Py_ssize_t, place=Py_ssize_t)
    cdef object _check_sums(self, Row row)
