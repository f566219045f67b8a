cimport cython

cdef long long _KEPT
cdef long long _MOST

@cython.locals(up=cython.longlong, opposed=cython.longlong)
cpdef int add(unsigned short[:, :] sums, Py_ssize_t at, Py_ssize_t place, long long units, long long at_s) except -1

@cython.locals(up=cython.longlong)
cpdef int undo(unsigned short[:, :] sums, Py_ssize_t at, Py_ssize_t place, long long units, long long at_s) except -1

cdef Py_ssize_t _before(long long total, long long up) except -1
