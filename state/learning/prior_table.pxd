cdef class PriorTable:
    cdef readonly long long number
    cdef readonly double[::1] means
    cdef readonly double[::1] variances
    cdef readonly double[::1] own_factors
    cdef readonly double[::1] own_squares
    cdef readonly double[::1] own_variances
    cdef readonly long long[::1] defaults
    cdef readonly signed char[::1] uninformative
    cdef readonly long long[::1] starts
    cdef readonly long long[::1] slots
    cdef readonly double offset
    cdef readonly double population
    cdef readonly double population_square
    cdef readonly double bias_factor
    cdef readonly double[::1] count_means
    cdef readonly double[::1] count_variances
