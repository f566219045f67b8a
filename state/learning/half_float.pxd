cimport cython
from libc cimport math

cdef double _SMALLEST_NORMAL
cdef double _UNITS

@cython.locals(sign=cython.int, exponent=cython.int, bits=cython.int, scaled=cython.double, rest=cython.double)
cpdef int to_bits(double number) noexcept
