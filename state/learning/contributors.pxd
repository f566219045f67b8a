cimport cython

cdef int _EXACT
cdef Py_ssize_t _MAX_BYTES

cdef class Contributors:
    cdef bytearray _bytes
    cdef Py_ssize_t _size
    cdef Py_ssize_t _exact
    cdef int _fold
    cdef bint _is_bitmap
    cdef Py_ssize_t _count
    @cython.locals(low=int, high=int, place=Py_ssize_t)
    cdef Py_ssize_t _find(self, long position) except -2
    cpdef bint add(self, long position) except -1
    @cython.locals(place=Py_ssize_t, bit=int, before=int)
    cdef bint _set(self, long position) except -1
    @cython.locals(positions=bytearray, place=Py_ssize_t)
    cdef object _to_bitmap(self)
