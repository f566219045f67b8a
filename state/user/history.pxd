cimport cython

from state.row.row cimport Row

cdef int _LAST_CHANGE, _MOST, _NONE, _HISTORY, _UNWRITTEN
cdef Py_ssize_t _HEAD_BYTES, _ENTRY_BYTES
cdef int _GRANT, _DENY, _FORGET, _FORGET_FACET, _SCOPE_SETS, _STATE_SETS

cdef class History:
    cdef Row _row
    cdef tuple _ranks
    cdef list _most_ranks
    @cython.locals(at=Py_ssize_t)
    cdef int _last(self, bytes tail, int facet) except -2
    @cython.locals(row=Row, at=Py_ssize_t, entries=bytes, oldest=Py_ssize_t)
    cdef object _add(self, object entry)
    @cython.locals(oldest=Py_ssize_t, number=int, at=Py_ssize_t)
    cdef Py_ssize_t _oldest(self, bytes entries, bint is_change) except -2
    @cython.locals(row=Row, tail=bytes)
    cpdef object renew(self, long long before_ms)
    @cython.locals(row=Row)
    cpdef bint take(self) except -1
    @cython.locals(row=Row, number=Py_ssize_t, changes=Py_ssize_t)
    cpdef object load(self, bytes tail)
    @cython.locals(
        changes=Py_ssize_t, at=Py_ssize_t, kind=int, first=int, second=int, third=int, most=int,
    )
    cdef Py_ssize_t _changes(self, bytes tail) except -2

@cython.locals(at_s="unsigned long long")
cdef unsigned long long _first_number(bytes tail) except? 0
