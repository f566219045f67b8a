cimport cython
from libc cimport math

from state.learning.contributors cimport Contributors
from state.learning.population_prior cimport Prior
from state.learning.probit cimport normal_cdf
from state.learning.release cimport Block

cdef unsigned long long _LOW

cdef class VotedFeature:
    cdef readonly str name
    cdef readonly unsigned long long salt
    cdef public double mean
    cdef public double variance
    cdef readonly double vote_share
    cdef public bint is_public
    cdef public long long generation
    cdef public Contributors contributors
    cdef public long long new
    cdef public Block block
    cpdef long position(self, unsigned long long user) except -1

@cython.locals(
    one_high=cython.ulonglong,
    one_low=cython.ulonglong,
    other_high=cython.ulonglong,
    other_low=cython.ulonglong,
    first=cython.ulonglong,
    second=cython.ulonglong,
)
cdef long _bits_64_to_79(unsigned long long one, unsigned long long other)

cdef class ShardVotes:
    cdef readonly bytes key
    cdef Py_ssize_t _size
    cdef Py_ssize_t _most
    cdef readonly dict features
    cdef public long long season
    cdef public long long generation
    cdef readonly long long removals
    cdef Prior _prior
    cdef dict _touched
    cdef dict _removed
    cdef list _forgets
    cdef object _earlier
    cdef long long _earlier_season
    cpdef object use(self, Prior prior)
    cpdef object begin(self, long long at_ms)
    cpdef VotedFeature add(self, str name)
    cpdef object refresh(self, VotedFeature feature)
    @cython.locals(
        fresh=list, fresh_against=list, feature=VotedFeature, more=double, total=double, residual=double,
    )
    cpdef object vote(
        self, unsigned long long user, list features, list against, bint liked, double mean, double variance,
        double share,
    )
    @cython.locals(fresh=list, feature=VotedFeature, position=long)
    cdef list _fresh(self, unsigned long long user, list features)
    @cython.locals(weight=double, block=Block)
    cdef object _add(self, VotedFeature feature, double residual, double share, double total, double variance)
    @cython.locals(feature=VotedFeature, position=long)
    cpdef object forget(self, unsigned long long user)
    cdef object _remove(self, VotedFeature feature)
    @cython.locals(feature=VotedFeature, block=Block)
    cpdef tuple take(self)
