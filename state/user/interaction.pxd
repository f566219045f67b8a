cimport cython

from state.learning.user_model cimport Learned
from state.row.row cimport Row
from state.user.parts cimport UserParts

@cython.locals(at_ms="long long")
cpdef object observe_interaction(UserParts user, o, rules)

@cython.locals(
    weight=double, disliked=bint, sensitive=bint, at_ms="long long", before_ms="long long", newest_ms="long long",
    topic="long long", learned=Learned,
)
cdef object _observe_accepted(UserParts user, o, rules)

@cython.locals(learned=Learned)
cdef tuple _train(UserParts user, o, rules, kind, double weight, Py_ssize_t turn)

cdef object _logged(UserParts user, o, rules, Py_ssize_t turn)
