cdef class Terms:
    cdef readonly Py_ssize_t slots
    cdef readonly Py_ssize_t facets
    cdef long long[::1] facet_of
    cdef double[::1] places
    cdef double[::1] variances
    cdef long long[::1] effects
    cdef double[::1] factors
