cimport cython

from state.learning.release cimport Block

cdef class Partial:
    cdef public long long contributors
    cdef readonly Block block

cdef class Feature:
    cdef readonly str name
    cdef readonly long long needed
    cdef public double mean
    cdef public double variance
    cdef public bint is_public
    cdef public long long released
    cdef public long long season
    cdef public long long contributors
    cdef public long long earlier_users
    cdef readonly dict partials
    cdef public Block block
    cpdef object begin(self, long long season)
    cpdef object forget(self, long long users)

cdef class PopulationModel:
    cdef readonly bytes key
    cdef readonly long long item_contributors
    cdef readonly dict features
    cdef public long long season
    cdef public long long blocks
    cpdef object merge(self, object delta)
    @cython.locals(new=cython.longlong, users=cython.longlong, partial=Partial)
    cdef object _add(self, object shard, Feature feature, tuple votes)
    @cython.locals(partial=Partial, one=Block)
    cdef object _publish(self, Feature feature)
    cdef Block _block_of(self, Feature feature)
    @cython.locals(block=Block, mean=double)
    cdef object _release_if_due(self, Feature feature)
    @cython.locals(feature=Feature)
    cdef object _take_back(self, object shard, str name, long long users)
    cpdef Feature add(self, str name)
