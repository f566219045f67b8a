cimport cython
from libc cimport math

cdef double _CONSTANT
cdef double _MAX_NORM
cdef double _MAX_SQUARE
cdef double _SLOPE
cdef double _RESIDUAL_VARIANCE
cdef long long _EVERY
cdef long long _COMMON

cdef class StackingSums:
    cdef Py_ssize_t _size
    cdef long long[::1] _numbers
    cdef double[::1] _values
    cdef double[::1] _residuals
    cdef double[::1] _products
    cdef double _bias_residuals
    cdef double _bias_slopes
    cdef double _bias_squares
    cdef long long _examples
    cdef long long _every
    cdef dict _contributors
    cdef dict _forgets
    cdef set _forgotten
    @cython.locals(
        position=long, count=Py_ssize_t, place=Py_ssize_t, square=double, scale=double, scaled=double, weight=double,
    )
    cpdef object add(
        self, unsigned long long user, double population, double bias, dict shares, double residual,
        object bias_residual=*,
    )
    @cython.locals(place=Py_ssize_t, count=Py_ssize_t, facet=Py_ssize_t, share=double)
    cdef Py_ssize_t _take_parts(self, double population, double bias, dict shares) except -1
    @cython.locals(
        size=Py_ssize_t, place=Py_ssize_t, other=Py_ssize_t, start=Py_ssize_t, weighted=double,
    )
    cdef object _add_products(self, Py_ssize_t count, double weight)
