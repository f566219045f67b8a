cimport cython
from libc cimport math

from state.learning.contributors cimport Contributors
from state.learning.probit cimport normal_cdf
from state.learning.release cimport Block

cdef double _MAX_MEAN
cdef long long _FIRST_USERS
cdef unsigned long long _LOW

cdef class Feature:
    cdef readonly str name
    cdef readonly long long needed
    cdef readonly unsigned long long salt
    cdef public double mean
    cdef public double variance
    cdef readonly double vote_share
    cdef public bint is_public
    cdef public long long released
    cdef public long long season
    cdef public Contributors contributors
    cdef public long long earlier_users
    cdef public Block block
    cpdef object begin(self, long long season)
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

cdef class PopulationModel:
    cdef readonly bytes key
    cdef readonly long long item_contributors
    cdef readonly dict features
    cdef public long long season
    cdef public long long blocks
    cdef readonly long long removals
    @cython.locals(
        fresh=list, fresh_against=list, feature=Feature, more=double, total=double, residual=double,
    )
    cpdef object vote(
        self, unsigned long long user, list features, list against, bint liked, double mean, double variance,
        double share,
    )
    @cython.locals(fresh=list, feature=Feature)
    cdef list _fresh(self, unsigned long long user, list features)
    @cython.locals(weight=double, block=Block, mean=double)
    cdef object _add(self, Feature feature, double residual, double share, double total, double variance)
    cdef object _remove(self, str name)
