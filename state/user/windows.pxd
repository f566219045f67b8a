cimport cython
from libc cimport math
from state.row.row cimport Row
from state.user.sessions cimport Sessions

cdef long long _DAY_MS, _HOUR_MS
cdef Py_ssize_t _NONE, _PANES, _RINGS, _TOPICS
cdef int _MAX_PER_PANE, _NO_TOPIC, _PART
cdef double _HOURS_KEPT, _TOPICS_KEPT
cdef long long[:] _FIRST, _SIZES, _WIDTHS_MS

cdef class Windows:
    cdef Row _row
    cdef readonly Sessions sessions
    @cython.locals(row=Row, at=Py_ssize_t, slot=Py_ssize_t)
    cpdef void begin(self)
    @cython.locals(row=Row, at=Py_ssize_t, pane=Py_ssize_t, hour=Py_ssize_t, slot=Py_ssize_t)
    cpdef void clear(self)
    cpdef void observe(
        self, long long before_ms, long long newest_ms, long long at_ms, bint is_new_turn, Py_ssize_t topic,
        bint disliked
    )
    @cython.locals(
        row=Row, at=Py_ssize_t, ring=Py_ssize_t, old="long long", new="long long", size="long long",
        pane="long long", days="long long"
    )
    cpdef void advance(self, long long before_ms, long long newest_ms)
    @cython.locals(
        row=Row, at=Py_ssize_t, hours_kept=double, topics_kept=double, hour=Py_ssize_t, slot=Py_ssize_t
    )
    cdef void _discount(self, long long days)
    @cython.locals(
        row=Row, at=Py_ssize_t, ring=Py_ssize_t, size="long long", pane="long long", place=Py_ssize_t,
        days_ago="long long", hour=Py_ssize_t
    )
    cdef void _add_turn(self, long long at_ms, long long newest_ms, Py_ssize_t topic)
    @cython.locals(row=Row, at=Py_ssize_t, lightest=Py_ssize_t, slot=Py_ssize_t)
    cdef void _add_topic(self, Py_ssize_t topic, double weight)
    @cython.locals(row=Row, at=Py_ssize_t, slot=Py_ssize_t)
    cpdef void drop(self, object topics)
    @cython.locals(ring=Py_ssize_t)
    cpdef object profile(self, object version, long long at_ms, object topic_names)
    @cython.locals(row=Row, at=Py_ssize_t, count="long long", place=Py_ssize_t)
    cdef long long _count(self, Py_ssize_t ring) except -1
    @cython.locals(row=Row, at=Py_ssize_t)
    cdef tuple _rounded_hours(self)
    @cython.locals(row=Row, at=Py_ssize_t, kept=list, named=list)
    cdef tuple _top_topics(self, object topic_names)

@cython.locals(hundredths=double, whole=double, fraction=double)
cpdef double rounded(double count) except? -1
