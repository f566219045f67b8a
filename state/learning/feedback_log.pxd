cimport cython
from state.learning.half_float cimport to_bits
from state.learning.side_sums cimport add, undo
from state.row.row cimport Row

cdef long long _DAY_S
cdef long long _MAX_S
cdef int _PER_HUNDREDTH
cdef double _UNITS_OF_1
cdef int _PIECES
cdef double _MOST
cdef int _DISLIKE
cdef int _PREFERS_LOWER
cdef int _PREFERS_HIGHER
cdef Py_ssize_t _CODE_BYTES

@cython.final
cdef class FeedbackLog:
    cdef Row _row
    cdef long long[::1] _facet_of
    cdef long long[::1] _trained
    cdef Py_ssize_t _slot_bytes
    cdef Py_ssize_t _facet_bytes
    cdef Py_ssize_t _codes_at
    cdef Py_ssize_t _masks_at
    cdef Py_ssize_t _mask_bytes

    @cython.locals(row=Row, at=Py_ssize_t, n=Py_ssize_t, hundredths=cython.int, number=Py_ssize_t)
    cpdef object add(
        self, long long at_ms, int kind, int form, double weight, double mean, double variance, object slots, object only
    )
    @cython.locals(row=Row, at=Py_ssize_t, count=Py_ssize_t)
    cpdef Py_ssize_t newest_s(self) except -1
    cpdef double total(self, Py_ssize_t slot, Py_ssize_t side) except -1
    @cython.locals(row=Row, at=Py_ssize_t, slot=Py_ssize_t, uncounted=cython.int)
    cpdef bint has_feedback(self, object slots) except -1
    @cython.locals(row=Row, at=Py_ssize_t, at_s=cython.longlong, units=cython.longlong, index=Py_ssize_t)
    cdef int _add_to_totals(self, Py_ssize_t n) except -1
    @cython.locals(
        row=Row, at=Py_ssize_t, at_s=cython.longlong, units=cython.longlong, day=cython.longlong, index=Py_ssize_t,
        place=Py_ssize_t,
    )
    cdef int _add_to_sums(self, Py_ssize_t n) except -1
    cdef Py_ssize_t _units(self, Py_ssize_t n) except -1
    @cython.locals(
        row=Row, at=Py_ssize_t, trained="long long[::1]", facet_of="long long[::1]", form=cython.int,
        is_narrowed=cython.int, byte=Py_ssize_t, count=Py_ssize_t, against=cython.int, slot=Py_ssize_t, bits=cython.int,
        facet=Py_ssize_t,
    )
    cdef Py_ssize_t _find_trained(self, Py_ssize_t n) except -1
    @cython.locals(row=Row, at=Py_ssize_t, n=Py_ssize_t, byte=Py_ssize_t)
    cdef int _shift(self) except -1
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef object clear(self)
    @cython.locals(row=Row, start=Py_ssize_t, codes=Py_ssize_t, masks=Py_ssize_t)
    cpdef bytes snapshot(self)

@cython.locals(
    slots=Py_ssize_t, facets=Py_ssize_t, slot_bytes=Py_ssize_t, facet_bytes=Py_ssize_t, facet=Py_ssize_t,
    only=Py_ssize_t, values=Py_ssize_t, n=Py_ssize_t, code=cython.int, form=cython.int, kind=cython.int,
    is_for=cython.bint, kinds=dict,
)
cpdef tuple kinds_by_side(bytes pieces, Py_ssize_t slot, tuple sizes, tuple facet_of)

cdef bint _has(bytes masks, Py_ssize_t start, Py_ssize_t number) except -1

@cython.locals(number=Py_ssize_t)
cdef bint _is_any(bytes masks, Py_ssize_t start, Py_ssize_t numbers) except -1
