cdef class Outbox:
    cdef public dict findings
    cdef public tuple profile
    cdef public long long at_ms
    cdef public object explores
