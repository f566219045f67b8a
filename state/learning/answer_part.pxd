cimport cython
from libc cimport math

from state.learning.prior_table cimport PriorTable
from state.learning.probit cimport normal_cdf
from state.learning.terms cimport Terms

cdef class AnswerPart:
    cdef Terms terms
    cdef Py_ssize_t count
    cdef long long[::1] slots
    cdef Py_ssize_t facet_count
    cdef long long[::1] facets
    cdef double[::1] shares
    cdef signed char[::1] is_served
    cdef signed char[::1] is_trained
    cdef readonly bint is_narrowed
    cdef readonly double lasting_mean
    cdef readonly double lasting_variance
    cdef readonly double mean
    cdef readonly double variance
    cdef readonly double bias
    @cython.locals(facet=Py_ssize_t, slot=Py_ssize_t)
    cpdef object serve(self, object slots, object only)
    @cython.locals(index=Py_ssize_t)
    cpdef bint trains(self) except -1
    @cython.locals(index=Py_ssize_t, facet=Py_ssize_t, found=list)
    cpdef list trained_facets(self)
    @cython.locals(index=Py_ssize_t, facet=Py_ssize_t, found=dict)
    cpdef dict by_facet(self)
    @cython.locals(index=Py_ssize_t, facet=Py_ssize_t, stacked=double)
    cpdef double chance(self, double mean, double variance, PriorTable table) except -1
