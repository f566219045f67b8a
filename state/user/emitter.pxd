cimport cython

from state.learning.context_decisions cimport Context, contexts_at, decide_in
from state.learning.decisions cimport Beliefs, Decision, Finding, decide, find
from state.learning.own_beliefs cimport OwnBeliefs
from state.learning.signal_text cimport SignalText
from state.row.row cimport Row
from state.user.emitted cimport Emitted
from state.user.history cimport History
from state.user.outbox cimport Outbox
from state.user.pins cimport Pins

cdef long long _PANE_MS
cdef Py_ssize_t _NO_ROW
cdef int _NONE, _LEARNED, _POPULATION
cdef long long _PANE_BITS
cdef int _PREFERENCES
cdef int _WINDOWS

cdef class Emitter:
    cdef readonly Row row
    cdef readonly OwnBeliefs own
    cdef readonly Emitted emitted
    cdef readonly object catalogue
    cdef readonly tuple ranks
    cdef readonly SignalText text
    cdef readonly Beliefs beliefs
    cdef readonly Row profiled
    cdef readonly Pins pins
    cdef readonly History history
    cdef readonly frozenset careful
    cpdef Beliefs believe(self, object prior)
    @cython.locals(emitted=Emitted, beliefs=Beliefs, present=list, facet=Py_ssize_t, decision=Decision)
    cpdef object emit_learned(self, Outbox outbox, object prior, object facets, object rows, object opened)
    @cython.locals(emitted=Emitted, place=Py_ssize_t, rank=Py_ssize_t, context=Context, there=Decision)
    cdef bint _differs_in(
        self, Beliefs beliefs, Py_ssize_t facet, Decision decision, object rows, object present
    ) except -1
    @cython.locals(emitted=Emitted, row=Row, slots=tuple, due=bint, facet=Py_ssize_t)
    cpdef object emit_due(self, Outbox outbox, object prior, long long before_ms)
    @cython.locals(
        row=Row, emitted=Emitted, at_ms="long long", found=list, context=Context, there=Decision, slot=int, tier=int,
        before=int, served=int, finding=Finding,
    )
    cdef object _emit(
        self, Outbox outbox, Beliefs beliefs, Py_ssize_t facet, Decision decision, object contexts, bint records
    )
    @cython.locals(row=Row)
    cpdef int served(self, Py_ssize_t facet) except? -2
    @cython.locals(row=Row, pane="long long")
    cpdef bint emit_profile(self, Outbox outbox) except -1
    @cython.locals(row=Row)
    cpdef object emit_present_profile(self, Outbox outbox)
