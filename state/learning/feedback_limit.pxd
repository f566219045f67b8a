cimport cython

cdef unsigned long long _MASK
cdef unsigned long long _ODD
cdef unsigned long long _OTHER_ODD

cdef class _Sketch:
    cdef unsigned long long _size
    cdef long long _capacity
    cdef readonly long long added
    cdef readonly unsigned short[::1] cells
    @cython.locals(one=cython.ulonglong, other=cython.ulonglong, older=cython.ulonglong)
    cdef long long count(self, unsigned long long mixed) except -1
    @cython.locals(one=cython.ulonglong, other=cython.ulonglong)
    cdef object raise_to(self, unsigned long long mixed, long long count)
    @cython.locals(one=cython.ulonglong, other=cython.ulonglong)
    cdef object add(self, unsigned long long mixed)

cdef class FeedbackLimit:
    cdef _Sketch _hours
    cdef _Sketch _weeks
    @cython.locals(hashed=cython.ulonglong, in_hour=cython.ulonglong, in_week=cython.ulonglong)
    cpdef bint takes(self, bytes user, long long at_ms) except -1
    @cython.locals(hashed=cython.ulonglong, mixed=cython.ulonglong)
    cpdef object carry(self, FeedbackLimit earlier, bytes user, long long first_ms, long long last_ms)

cdef unsigned long long _mixed(unsigned long long user, unsigned long long window)
cpdef unsigned long long last_bits(bytes user) except? 0
