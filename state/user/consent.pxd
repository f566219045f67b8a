cimport cython
from state.row.row cimport Row

cdef int _UNASKED, _GRANTED, _DENIED
cdef Py_ssize_t _LEARN, _USE, _EXPLORE, _SCOPES, _CONTROLS

cdef class Consent:
    cdef Row _row
    cdef Py_ssize_t _facets
    @cython.locals(row=Row, at=Py_ssize_t, state=int)
    cpdef bint allows(self, long long at_ms, object catalogue) except -1
    @cython.locals(row=Row, at=Py_ssize_t, learn=int, explore=int)
    cpdef bint explores(self, object catalogue) except -1
    cdef bint _change(self, object states, int state, long long at_ms) except -1
    @cython.locals(row=Row, at=Py_ssize_t, scope=Py_ssize_t)
    cdef void _set(self, object scopes, int state, long long at_ms)
    @cython.locals(row=Row, at=Py_ssize_t, facet=Py_ssize_t)
    cpdef bint forgot_any(self) except -1
    cpdef long long wiped_at(self, Py_ssize_t facet)
    @cython.locals(row=Row, at=Py_ssize_t)
    cpdef void forget(self, long long at_ms)
    @cython.locals(row=Row, at=Py_ssize_t)
    cpdef void forget_facet(self, Py_ssize_t facet, long long at_ms, unsigned int seq)
    @cython.locals(row=Row, at=Py_ssize_t, facet=Py_ssize_t)
    cdef void _clear_facets(self)
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef bint remembers(self, unsigned long long control) except -1
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t, earlier=Py_ssize_t)
    cpdef void remember(self, unsigned long long control)
    @cython.locals(row=Row, at=Py_ssize_t, place=Py_ssize_t)
    cpdef void clear(self)
