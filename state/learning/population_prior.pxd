cimport cython

from state.learning.prior_table cimport PriorTable

cdef double _NOISE_VARIANCE
cdef long long _MAX_SURFACES

cdef class InContext:
    cdef double[::1] means
    cdef double[::1] variances

cdef class Effects:
    cdef readonly double[::1] means

cdef class Prior:
    cdef readonly object catalogue
    cdef readonly long long number
    cdef readonly long long at_ms
    cdef readonly object factors
    cdef public object uninformative
    cdef readonly list means
    cdef readonly list variances
    cdef readonly list by_feedback_count
    cdef public object shifts
    cdef readonly list default_slots
    cdef readonly PriorTable table
    cdef object _factors
    cdef object _beliefs
    cdef object _names
    cdef object _slots
    cdef readonly dict _contexts
    cdef readonly dict _effects
    cdef object _popularity
    cdef list _by_popularity
    cdef object _item_unknown
    cdef dict _items
    cdef bint _has_pairs
    cdef dict _pairs
    cpdef object published(self, str name)
    @cython.locals(found=InContext, key=cython.longlong)
    cdef InContext _in_context(self, long long topic, long long surface)
    @cython.locals(found=Effects)
    cpdef Effects topic_effects(self, long long topic)
    @cython.locals(found=Effects)
    cpdef Effects surface_effects(self, long long surface)
    cdef Effects _keep_effects(self, long long key, double[::1] means)
    @cython.locals(
        there=InContext, table=PriorTable, mean=double, variance=double, more=double, doubt=double, slot=Py_ssize_t,
    )
    cpdef (double, double) answer(
        self, object slots, long long topic, long long surface, long long item, Py_ssize_t feedback_count
    )
    @cython.locals(found=tuple)
    cdef tuple _item(self, long long item)
    @cython.locals(found=tuple)
    cdef tuple _pair(self, tuple pair)
    @cython.locals(there=InContext, mean=double)
    cpdef (double, double) comparison(
        self, Py_ssize_t preferred, Py_ssize_t served, long long topic, long long surface
    )
