cimport cython

from state.learning.context_effects cimport ContextEffects
from state.learning.feedback_log cimport FeedbackLog
from state.learning.mood cimport Mood
from state.learning.terms cimport Terms
from state.row.row cimport Row

cdef double _BIAS_VARIANCE
cdef double _SLOPE_VARIANCE
cdef int _PREFERENCES

cdef class OwnBeliefs:
    cdef readonly Row row
    cdef readonly object catalogue
    cdef readonly Terms terms
    cdef readonly Mood mood
    cdef readonly ContextEffects contexts
    cdef readonly FeedbackLog log
    cdef int _terms_check
    @cython.locals(row=Row, at=Py_ssize_t, slot=Py_ssize_t, facet=Py_ssize_t)
    cpdef object begin(self)
    @cython.locals(row=Row, at=Py_ssize_t, slot=Py_ssize_t, facet=Py_ssize_t)
    cpdef object clear(self)
    @cython.locals(row=Row, at=Py_ssize_t)
    cdef int _begin_value(self, Py_ssize_t slot) except -1
    @cython.locals(row=Row, at=Py_ssize_t)
    cdef int _begin_slope(self, Py_ssize_t facet) except -1
    @cython.locals(row=Row, mean=double, place=double)
    cdef double mean(self, Py_ssize_t slot) except? -1
    @cython.locals(row=Row, variance=double, place=double)
    cdef double variance(self, Py_ssize_t slot) except -1
    @cython.locals(row=Row, at=Py_ssize_t, step=double, slope=double)
    cdef double mean_difference(self, Py_ssize_t slot, Py_ssize_t other) except? -1
    @cython.locals(row=Row, at=Py_ssize_t, step=double, slope_variance=double)
    cdef double variance_difference(self, Py_ssize_t slot, Py_ssize_t other) except -1
