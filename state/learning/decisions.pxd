cimport cython
from libc cimport math

from state.learning.own_beliefs cimport OwnBeliefs
from state.learning.population_prior cimport Prior
from state.learning.prior_table cimport PriorTable
from state.learning.probit cimport normal_cdf
from state.learning.terms cimport Terms
from state.row.row cimport Row

cdef double _SHARPNESS
cdef double _LAPSE_HALF
cdef double _NO_LAPSE
cdef double _LEAST_VARIANCE
cdef double _HINT_FROM
cdef double _APPLY_FROM
cdef Py_ssize_t _NO_ROW, _NO_SLOT, _MAX_TOPICS, _MAX_TOPICS_KEPT
cdef double _PER_WEIGHT

cdef class Decision:
    cdef readonly Py_ssize_t slot
    cdef readonly Py_ssize_t runner_up
    cdef readonly double confidence
    cdef readonly int tier

cdef class Finding:
    cdef readonly Decision decision
    cdef readonly double liked
    cdef readonly double runner_up_liked
    cdef readonly object default
    cdef readonly double evidence
    cdef readonly double against
    cdef readonly bint is_learned
    cdef readonly bytes pieces
    cdef readonly long long population
    cdef readonly long long at_ms
    cdef readonly long long seq
    cdef readonly object contexts

cdef class Beliefs:
    cdef readonly OwnBeliefs own
    cdef readonly Row row
    cdef readonly Prior prior
    cdef readonly PriorTable table
    cdef readonly double[::1] leaning
    cdef readonly double[::1] base
    cdef readonly double[::1] there
    cdef public bint leans
    cpdef object renew(self, Prior prior)
    @cython.locals(
        row=Row, leaning="double[::1]", main=list, place=Py_ssize_t, slot=Py_ssize_t, share=double,
        effects="double[::1]",
    )
    cpdef object lean(self)
    cpdef object lean_like(self, Beliefs other)
    @cython.locals(main=list, place=Py_ssize_t, at=Py_ssize_t)
    cdef list _main_topics(self)
    @cython.locals(row=Row, weight=double, others=double)
    cdef bint _is_heavier(self, Py_ssize_t place, Py_ssize_t other) except -1

cpdef Decision decide(Beliefs beliefs, Py_ssize_t facet)

@cython.locals(
    table=PriorTable, found="double[::1]", start=Py_ssize_t, count=Py_ssize_t, default=Py_ssize_t, best=Py_ssize_t,
    default_place=Py_ssize_t, second=Py_ssize_t, place=Py_ssize_t, slot=Py_ssize_t, runner_up=Py_ssize_t, sure=double,
    beats=double, tier=int,
)
cpdef Decision decided(Beliefs beliefs, Py_ssize_t facet, bint is_there, Py_ssize_t row)

@cython.locals(
    table=PriorTable, terms=Terms, row=Row, base="double[::1]", start=Py_ssize_t, factor=double, own_factor=double, slope=double,
    place=Py_ssize_t, slot=Py_ssize_t, mean=double, shared=double,
)
cpdef object fill_means(Beliefs beliefs, Py_ssize_t facet)

@cython.locals(
    own=OwnBeliefs, table=PriorTable, terms=Terms, facet=Py_ssize_t, mean=double, variance=double, x=double, y=double,
    squares=double, scale=double,
)
cpdef double confidence(Beliefs beliefs, Py_ssize_t slot, Py_ssize_t other, double difference, Py_ssize_t row) except -1

cdef int _tier(double confidence, double beats_default)

@cython.locals(row=Row, slot=Py_ssize_t)
cpdef Finding find(
    Beliefs beliefs, Py_ssize_t facet, Decision decision, long long at_ms, long long seq, object contexts=*
)

@cython.locals(
    own=OwnBeliefs, table=PriorTable, row=Row, count=Py_ssize_t, mean=double, variance=double, bias=double,
    share=double, stacked=double, own_variance=double,
)
cpdef double liking(Beliefs beliefs, Py_ssize_t slot) except -1
