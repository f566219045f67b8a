cimport cython

from state.learning.answer_part cimport AnswerPart
from state.learning.terms cimport Terms
from state.row.row cimport Row

cdef Py_ssize_t _ROWS
cdef double _VARIANCE
cdef double _KNOWN_PER_WEIGHT
cdef double _KEPT
cdef double _REPLACED_BELOW
cdef double _FADED
cdef double _UNIT
cdef double _MOST
cdef double _NEAREST

cdef class ContextEffects:
    cdef Row row
    cdef readonly Py_ssize_t terms
    @cython.locals(row=Py_ssize_t)
    cpdef object begin(self)
    cpdef object clear(self)
    @cython.locals(row=Py_ssize_t, at=Py_ssize_t)
    cpdef Py_ssize_t row_of(self, long long key) except -2
    @cython.locals(found=list, key=cython.longlong, row=Py_ssize_t)
    cpdef list find(self, contexts)
    @cython.locals(rows=list, opened=list, key=cython.longlong, row=Py_ssize_t)
    cpdef tuple open(self, contexts)
    @cython.locals(at=Py_ssize_t, row=Py_ssize_t)
    cdef Py_ssize_t _open(self, long long key, list kept) except -2
    @cython.locals(at=Py_ssize_t, found=Py_ssize_t, row=Py_ssize_t, weight=double)
    cdef Py_ssize_t _least(self, list kept) except -2
    @cython.locals(at=Py_ssize_t, term=Py_ssize_t)
    cdef int _begin(self, Py_ssize_t row, long long key) except -1
    cpdef double variance(self, Py_ssize_t row) except -1
    cpdef double effect(self, Py_ssize_t row, Py_ssize_t term) except? -1
    @cython.locals(
        at=Py_ssize_t, terms=Terms, mean=double, variance=double, row=Py_ssize_t, squares=double, index=Py_ssize_t,
        slot=Py_ssize_t, x=double, effect=double,
    )
    cpdef object add_to(self, AnswerPart part, rows)
    @cython.locals(terms=Terms, row=Py_ssize_t, step=double, index=Py_ssize_t, slot=Py_ssize_t)
    cpdef object update(self, AnswerPart part, rows, double mean_step, double weight)
    cpdef double step(self, Py_ssize_t row, double mean_step) except? -1
    @cython.locals(at=Py_ssize_t, mean=double)
    cpdef object move(self, Py_ssize_t row, Py_ssize_t term, double x, double step)
    @cython.locals(at=Py_ssize_t)
    cpdef object weigh(self, Py_ssize_t row, double weight)
