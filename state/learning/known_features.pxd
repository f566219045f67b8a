cimport cython

from state.learning.feature_numbers cimport FeatureNumbers
from state.learning.shard_votes cimport ShardVotes, VotedFeature

cdef class KnownFeatures:
    cdef ShardVotes _votes
    cdef readonly FeatureNumbers numbers
    cdef list _table
    cdef long long _generation
    cdef long long _removals
    @cython.locals(found=list, place=Py_ssize_t, number=cython.longlong, feature=VotedFeature)
    cpdef list take(self)
    cpdef tuple expect(self)
    cdef object _refresh(self)
    @cython.locals(missing=Py_ssize_t)
    cdef VotedFeature _at(self, long long number)
