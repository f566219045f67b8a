cimport cython
from state.row.row cimport Row

cdef long long _GAP_MS, _KEPT_MS
cdef Py_ssize_t _MAX_SESSIONS
cdef int _MAX_COUNT

cdef class Sessions:
    cdef Row _row
    cpdef void observe(self, long long at_ms, long long clock_ms, bint is_turn, bint disliked)
    @cython.locals(row=Row, at=Py_ssize_t, newest=Py_ssize_t)
    cpdef void add_turn(self, long long at_ms, long long clock_ms)
    @cython.locals(row=Row, at=Py_ssize_t, begin=Py_ssize_t, end=Py_ssize_t)
    cdef void _add_late(self, long long at_ms)
    @cython.locals(row=Row, at=Py_ssize_t, count=Py_ssize_t, later=Py_ssize_t, earlier=Py_ssize_t)
    cdef void _open(self, Py_ssize_t place, long long at_ms)
    @cython.locals(
        row=Row, at=Py_ssize_t, place=Py_ssize_t, first_ms="long long", last_ms="long long", turns=int, dislikes=int
    )
    cdef void _merge(self, Py_ssize_t begin, Py_ssize_t end, long long at_ms)
    @cython.locals(row=Row, at=Py_ssize_t, dropped=Py_ssize_t)
    cpdef void free(self, long long clock_ms)
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef void add_dislike(self, long long at_ms)
    cpdef void clear(self)
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef object newest(self)
    @cython.locals(row=Row, at=Py_ssize_t, count=Py_ssize_t, place=Py_ssize_t)
    cdef void _remove(self, Py_ssize_t begin, Py_ssize_t end)
    @cython.locals(row=Row, at=Py_ssize_t)
    cdef void _copy(self, Py_ssize_t source, Py_ssize_t place)
    @cython.locals(row=Row, at=Py_ssize_t)
    cdef void _put(self, Py_ssize_t place, long long first_ms, long long last_ms, int turns, int dislikes)
