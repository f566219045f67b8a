cimport cython

from state.learning.decisions cimport Beliefs, Decision, confidence, decided
from state.learning.population_prior cimport Effects
from state.learning.prior_table cimport PriorTable
from state.learning.terms cimport Terms
from state.row.row cimport Row

cdef double _EVEN
cdef double _UNIT
cdef Py_ssize_t _NO_ROW

cdef class Context:
    cdef readonly long long key
    cdef readonly Py_ssize_t row
    cdef readonly Effects effects
    cdef readonly bint leans

@cython.locals(row=Row, found=list, place=Py_ssize_t)
cpdef list contexts_at(Beliefs beliefs, object rows)

cdef Context _topic(Beliefs beliefs, long long key, Py_ssize_t row, long long topic)

@cython.locals(
    table=PriorTable, there="double[::1]", start=Py_ssize_t, count=Py_ssize_t, best=Py_ssize_t, place=Py_ssize_t,
    at=Py_ssize_t, decision=Decision, lead=double,
)
cpdef Decision decide_in(Beliefs beliefs, Py_ssize_t facet, Decision general, Context context, double above=*)

@cython.locals(
    table=PriorTable, terms=Terms, row=Row, base="double[::1]", there="double[::1]",
    effects="double[::1]", leaning="double[::1]",
    leans=bint, start=Py_ssize_t, shifts=bint, unit=double, place=Py_ssize_t, slot=Py_ssize_t, mean=double,
)
cdef object _fill_there(Beliefs beliefs, Py_ssize_t facet, Context context)
