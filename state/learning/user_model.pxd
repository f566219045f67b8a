cimport cython
from libc cimport math

from state.learning.answer_part cimport AnswerPart
from state.learning.context_effects cimport ContextEffects
from state.learning.own_beliefs cimport OwnBeliefs
from state.learning.population_prior cimport Prior
from state.learning.probit cimport gain, shrink
from state.row.row cimport Row

cdef double _KEPT
cdef double _KEPT_VARIANCE
cdef double _REGAINED
cdef double _ORDERED_REGAINED
cdef double _SLOPE_REGAINED
cdef double _BIAS_REGAINED
cdef int _MAX_FEEDBACK_COUNT
cdef long long _MOST_NUMBER
cdef int _LIKE
cdef int _DISLIKE
cdef int _PREFERS_LOWER
cdef int _PREFERS_HIGHER

cdef class Learned:
    cdef readonly double p
    cdef readonly double mean
    cdef readonly double variance
    cdef readonly double bias
    cdef readonly dict shares
    cdef readonly list rows
    cdef readonly list opened
    cdef readonly list facets
    cdef readonly list directed

cdef class UserModel(OwnBeliefs):
    cdef readonly AnswerPart part
    cdef dict _topic_keys
    cdef dict _surface_keys
    @cython.locals(
        row=Row, at=Py_ssize_t, part=AnswerPart, mean=double, variance=double, contexts=list, rows=list, opened=list,
        learned=Learned,
    )
    cpdef Learned learn_feedback(self, object o, object kind, double weight, Prior prior)
    @cython.locals(row=Row, at=Py_ssize_t)
    cdef int _count_feedback(self) except -1
    @cython.locals(keys=list)
    cpdef list keys_of(self, object topic, object surface)
    @cython.locals(slot=Py_ssize_t)
    cdef bint _trains(self, object o, object kind) except -1
    @cython.locals(row=Row, at=Py_ssize_t, part=AnswerPart)
    cdef int _predict(self, list rows) except -1
    @cython.locals(
        row=Row, at=Py_ssize_t, part=AnswerPart, index=Py_ssize_t, slot=Py_ssize_t, facet=Py_ssize_t, place=double,
        share=double, mean=double, variance=double,
    )
    cdef int _predict_lasting(self) except -1
    @cython.locals(part=AnswerPart, mean_step=double, variance_step=double)
    cdef int _learn_label(
        self, object o, bint liked, double weight, double mean, double variance, list rows
    ) except -1
    @cython.locals(sign=double, scale=double, z=double, n=double, mean_step=double, variance_step=double)
    cdef (double, double) _learn_lasting(self, bint liked, double weight, double mean, double variance)
    @cython.locals(
        row=Row, at=Py_ssize_t, part=AnswerPart, index=Py_ssize_t, slot=Py_ssize_t, facet=Py_ssize_t, place=double,
        v=double,
    )
    cdef int _train(self, double mean_step, double variance_step) except -1
    @cython.locals(row=Row, at=Py_ssize_t, v=double)
    cdef int _train_value(
        self, Py_ssize_t slot, double x, double mean_step, double variance_step, double regained
    ) except -1
    @cython.locals(row=Row, at=Py_ssize_t, v=double)
    cdef int _train_slope(self, Py_ssize_t facet, double x, double mean_step, double variance_step) except -1
    @cython.locals(mean=double, variance=double, slot=Py_ssize_t, found=list)
    cdef list _learn_directed(self, object o, object kind, double weight, Prior prior, list rows)
    @cython.locals(
        contexts=ContextEffects, step=double, effects=double, variances=double, row=Py_ssize_t, term=Py_ssize_t,
        mean_step=double,
    )
    cdef object _learn_preferred(
        self, object o, Py_ssize_t served, Py_ssize_t preferred, double weight, double mean, double variance, list rows
    )
    @cython.locals(step=double, scale=double, z=double, n=double, mean_step=double, variance_step=double)
    cdef double _learn_comparison(
        self, Py_ssize_t served, Py_ssize_t preferred, double weight, double mean, double variance
    ) except? -1
