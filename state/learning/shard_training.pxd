cimport cython
from libc cimport math

from state.learning.feature_numbers cimport FeatureNumbers
from state.learning.feedback_limit cimport FeedbackLimit, last_bits
from state.learning.known_features cimport KnownFeatures
from state.learning.population_prior cimport Prior
from state.learning.prior_table cimport PriorTable
from state.learning.probit cimport normal_cdf
from state.learning.scoring_sums cimport ScoringSums
from state.learning.shard_votes cimport ShardVotes
from state.learning.stacking_sums cimport StackingSums

cdef long long _MAX_EXAMPLES
cdef double _NOISE_VARIANCE
cdef unsigned long long _ODD
cdef unsigned long long _MASK

cdef class ShardTraining:
    cdef bint _exact
    cdef bint _teaches
    cdef object _catalogue
    cdef bytes _key
    cdef long long _shards
    cdef public long long shard
    cdef object _facets
    cdef object _features
    cdef object _replaceable
    cdef readonly ShardVotes votes
    cdef readonly KnownFeatures _known
    cdef readonly StackingSums stacking
    cdef readonly FeedbackLimit _limit
    cdef readonly ScoringSums _scoring
    cdef readonly object _proof
    cdef readonly Prior _prior
    cdef list _factors
    cdef readonly long long examples
    cdef long long _forgets
    cdef long long _at_ms
    @cython.locals(
        user=cython.ulonglong, prior=Prior, mean=double, variance=double, scale=double, own_mean=double, z=double,
        share=double, bias_residual=object,
    )
    cpdef bint learn(self, object e) except -1
    @cython.locals(
        numbers=FeatureNumbers, own_factors=cython.double[::1], factor=double, mean=double, variance=double,
        preferred=list, served=list,
    )
    cdef object _learn_directed(self, object e, unsigned long long user)
    @cython.locals(slots=list, features=list, mean=double, variance=double)
    cdef double _learn_defaults(self, object e, unsigned long long user) except? -1
    @cython.locals(value=list, preferred=list, runner_up=list)
    cdef double _learn_confidence(
        self, object e, unsigned long long user, double mean, double variance, double share
    ) except? -1
    @cython.locals(numbers=FeatureNumbers, mean=double, variance=double, others=tuple)
    cdef object _learn_answer(self, object e, unsigned long long user, double own_mean, double share)
    cdef object _add_common(self, object e)
    @cython.locals(table=PriorTable, mean=double, facet=Py_ssize_t, share=double)
    cdef double _own_mean(self, double bias, dict shares) except? -1

cpdef unsigned long long hash_of(bytes user) except? 0
