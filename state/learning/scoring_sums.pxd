cimport cython
from libc cimport math

from state.learning.probit cimport log_normal_cdf

cdef long long _BINS
cdef long long _CELLS
cdef long long _LATEST
cdef double _LEAST_P

cdef class FacetSums:
    cdef readonly double part
    cdef readonly long long all_pieces
    cdef public long long n
    cdef public double gain
    @cython.locals(difference=double, share=double)
    cpdef object update(self, double part, double z, double per_mean, double log_p)

cdef class ScoringSums:
    cdef dict _facets
    cdef long long _n
    cdef long long _likes
    cdef double _loss
    cdef double[::1] _weights
    cdef double[::1] _errors
    cdef long long[::1] _counts
    @cython.locals(place=Py_ssize_t, cell=Py_ssize_t)
    cpdef object add(self, bint liked, double p, double z, double scale, dict parts)
    @cython.locals(per_mean=double, log_p=double, sums=FacetSums, facet=object, part=double)
    cdef object _add_facets(self, double sign, double z, double scale, dict parts)
    @cython.locals(cell=Py_ssize_t, counts="long long[::1]", found=dict)
    cdef dict _taken_cells(self)
