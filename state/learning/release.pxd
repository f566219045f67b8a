cimport cython

cdef int _MIN_USERS
cdef double _ROUNDING

cdef class Block:
    cdef public long long number
    cdef public long long users
    cdef public double residuals
    cdef public double shares
    cdef public double squares
    cdef public double top
    cdef public double others
    cdef public long long forgets
    cpdef object add(self, double residual, double share, double others)
    cpdef object merge(
        self, long long users, double residuals, double shares, double squares, double top, double others
    )
    cpdef bint is_due(self, long long users) except -1
