cimport cython
from libc cimport math

from state.learning.probit cimport log_normal_cdf

cdef long long _LATEST
cdef double _LEAST
cdef double _LEAST_P

cdef class FacetGain:
    cdef readonly double gain
    cdef readonly double part
    cdef readonly long long n
    @cython.locals(difference=double, share=double)
    cpdef object update(self, double part, double z, double per_mean, double log_p)

cdef class LogLoss:
    cdef double _n
    cdef double _mean
    cpdef object update(self, bint liked, double p)

cdef class Scoring:
    cdef object _catalogue
    cdef LogLoss _log_loss
    cdef LogLoss _constant
    cdef object _auc
    cdef object _ece
    cdef long long _likes
    cdef object _adwin
    cdef long long _drifts
    cdef long long _n
    cdef readonly dict gains
    @cython.locals(p=double, liked=bint)
    cpdef object add(self, object e, double z, double scale, dict parts)
    @cython.locals(
        sign=double, per_mean=double, log_p=double, gain=FacetGain, names=object, gains=dict, facet=Py_ssize_t,
        part=double,
    )
    cdef object _add_facets(self, object e, double z, double scale, dict parts)
