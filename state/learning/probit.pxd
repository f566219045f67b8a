cimport cython
from libc cimport math

cdef double _MAX_SURPRISE, _SQRT_HALF, _DENSITY, _LEAST

cpdef double normal_cdf(double z)
cpdef double log_normal_cdf(double z)
@cython.locals(t=double)
cpdef double gain(double z)
@cython.locals(t=double)
cpdef double shrink(double z, double gain)
cdef double _clipped(double z)
