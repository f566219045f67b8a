cimport cython
from libc cimport math

from state.row.row cimport Row

cdef double _VARIANCE, _KEPT, _DECAY_S, _KEPT_VARIANCE, _REGAINED
cdef long long _MAX_S

cdef class Mood:
    cdef Row row
    cpdef void begin(self)
    cpdef void clear(self)
    @cython.locals(at_s=cython.longlong, before_s=cython.longlong, kept=double, mean=double, variance=double)
    cpdef void move_to(self, long long at_ms)
    @cython.locals(mean=double, v=double)
    cpdef void update(self, double mean_step, double variance_step)
