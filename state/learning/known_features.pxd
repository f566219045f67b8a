cimport cython

from state.learning.feature_numbers cimport FeatureNumbers
from state.learning.population_model cimport Feature, PopulationModel

cdef class KnownFeatures:
    cdef PopulationModel _population
    cdef readonly FeatureNumbers numbers
    cdef list _table
    cdef long long _generation
    cdef long long _removals
    @cython.locals(found=list, place=Py_ssize_t, number=cython.longlong, feature=Feature)
    cpdef list take(self)
    @cython.locals(means=list, variances=list, place=Py_ssize_t, number=cython.longlong, feature=Feature)
    cpdef tuple expect(self)
    cdef object _refresh(self)
    @cython.locals(missing=Py_ssize_t)
    cdef Feature _at(self, long long number)
