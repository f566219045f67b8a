cimport cython

from state.learning.user_model cimport UserModel
from state.row.row cimport Row
from state.user.consent cimport Consent
from state.user.emitted cimport Emitted
from state.user.emitter cimport Emitter
from state.user.history cimport History
from state.user.outbox cimport Outbox
from state.user.pins cimport Pins
from state.user.recent_events cimport RecentEvents
from state.user.recent_turns cimport RecentTurns
from state.user.windows cimport Windows

cdef long long _MOST_SEQ
cdef int _WINDOWS, _PREFERENCES, _UNWRITTEN_GATE

cdef class Waiting:
    cdef public list gates
    cdef public tuple earlier
    cdef public Outbox outbox
    cdef public object history

cdef class UserParts:
    cdef readonly object catalogue
    cdef readonly Row row
    cdef readonly Consent consent
    cdef readonly Pins pins
    cdef readonly RecentEvents events
    cdef readonly RecentTurns turns
    cdef readonly Windows windows
    cdef readonly UserModel model
    cdef readonly Emitted emitted
    cdef readonly History history
    cdef readonly Emitter emitter
    cdef public Waiting waiting
    cpdef object move_to(self, Py_ssize_t place, Waiting waiting)
    @cython.locals(row=Row)
    cpdef object restart(self, long long at_ms)
    @cython.locals(row=Row, before_ms="long long")
    cpdef long long accept(self, long long at_ms) except? -1
    cpdef object begin_preferences(self)
