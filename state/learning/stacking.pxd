cimport cython
from libc cimport math

from state.learning.contributors cimport Contributors

cdef double _CONSTANT
cdef double _MAX_NORM
cdef double _MAX_SQUARE
cdef double _SLOPE
cdef double _RESIDUAL_VARIANCE
cdef long long _EVERY
cdef long long _COMMON

cdef class Sums:
    cdef public long long examples
    cdef readonly double[::1] residuals
    cdef readonly double[::1] products
    cdef public double bias_residuals
    cdef public double bias_slopes
    cdef public double bias_squares
    cdef public Contributors contributors
    cdef public set forgotten

cdef class Stacking:
    cdef readonly bytes key
    cdef readonly list parts
    cdef readonly list means
    cdef public list covariance
    cdef public object bias
    cdef public long long released
    cdef public Sums sums
    cdef long long[::1] _numbers
    cdef double[::1] _values
    @cython.locals(
        sums=Sums, position=long, count=Py_ssize_t, place=Py_ssize_t, square=double, scale=double, scaled=double,
        weight=double,
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
    cdef object _add_products(self, Sums sums, Py_ssize_t count, double weight)
    @cython.locals(slope=object)
    cdef object _move_bias(self, double found)
