cimport cython

cdef Py_ssize_t _MAX_LATER
cdef long long _COUNTS
cdef long long _POPULARITY
cdef long long _VALUES

cdef class FeatureNumbers:
    cdef object _names
    cdef long long _slots
    cdef long long _topics
    cdef long long _surfaces
    cdef signed char[::1] _has_topic
    cdef bint _has_surfaces
    cdef bint _has_pairs
    cdef long long[::1] _steps
    cdef long long _defaults
    cdef long long _on_topic
    cdef long long _on_surface
    cdef long long _first_later
    cdef dict _items
    cdef dict _pairs
    cdef list _later
    cdef readonly long long generation
    cdef long long[::1] _numbers
    cdef readonly Py_ssize_t count
    cpdef object begin(self)
    cpdef object add_common(self, long long item, Py_ssize_t feedback_count, long long popularity)
    @cython.locals(slot=cython.longlong)
    cpdef object add_values(self, object slots, long long topic, long long surface)
    cpdef object add_value(self, long long slot, long long topic, long long surface)
    cpdef object add_default(self, long long slot)
    cdef object _add(self, long long number)
    cdef object _number_later(self, str name)
    cpdef long long number(self, Py_ssize_t place) except -1
    cpdef str name(self, long long number)
