cdef class Row:
    cdef readonly object layout
    cdef readonly object array
    cdef readonly object data
    cdef readonly unsigned long long[::1] eights
    cdef readonly unsigned int[::1] fours
    cdef readonly unsigned short[::1] twos
    cdef readonly unsigned char[::1] ones
    cdef readonly Py_ssize_t room
    cdef public Py_ssize_t at
    cdef readonly list tails
    cdef readonly unsigned char[:] parts
    cdef readonly long long[:] newest_ms
    cdef readonly unsigned int[:] seq
    cdef readonly long long[:] wiped_ms
    cdef readonly long long[:] forgotten_ms
    cdef readonly unsigned char[:, :] consent_states
    cdef readonly long long[:, :] consent_ms
    cdef readonly long long[:, :] facet_wiped_ms
    cdef readonly unsigned int[:, :] facet_wiped_seq
    cdef readonly unsigned char[:, :] facet_wiped
    cdef readonly unsigned long long[:, :] controls
    cdef readonly unsigned char[:] control_count
    cdef readonly long long[:, :] pin_ms
    cdef readonly short[:, :] pin_slots
    cdef readonly unsigned char[:, :] pin_known
    cdef readonly unsigned int[:, :] events
    cdef readonly unsigned char[:] event_count
    cdef readonly unsigned char[:] event_next
    cdef readonly unsigned int[:, :] turns
    cdef readonly float[:, :] turn_weights
    cdef readonly unsigned short[:] turns_disliked
    cdef readonly unsigned char[:] turn_count
    cdef readonly unsigned char[:] turn_next
    cdef readonly unsigned short[:, :] panes
    cdef readonly float[:, :] hours
    cdef readonly unsigned short[:, :] topic_ids
    cdef readonly float[:, :] topic_weights
    cdef readonly long long[:, :] session_first_ms
    cdef readonly long long[:, :] session_last_ms
    cdef readonly unsigned short[:, :] session_turns
    cdef readonly unsigned short[:, :] session_dislikes
    cdef readonly unsigned char[:] session_count
    cdef readonly float[:, :] means
    cdef readonly float[:, :] variances
    cdef readonly float[:, :] slopes
    cdef readonly float[:, :] slope_variances
    cdef readonly float[:] bias
    cdef readonly float[:] bias_variance
    cdef readonly unsigned char[:] feedback_count
    cdef readonly unsigned int[:] population
    cdef readonly float[:] mood
    cdef readonly float[:] mood_variance
    cdef readonly unsigned int[:] mood_s
    cdef readonly unsigned int[:, :] context_keys
    cdef readonly float[:, :] context_weights
    cdef readonly short[:, :, :] effects
    cdef readonly unsigned short[:] terms_check
    cdef readonly unsigned int[:, :] piece_s
    cdef readonly unsigned short[:, :] piece_codes
    cdef readonly unsigned short[:, :] piece_means
    cdef readonly unsigned short[:, :] piece_variances
    cdef readonly unsigned char[:, :, :] piece_facets
    cdef readonly unsigned char[:, :, :] piece_slots
    cdef readonly unsigned char[:] piece_count
    cdef readonly unsigned short[:, :] totals
    cdef readonly unsigned short[:, :] sums
    cdef readonly unsigned short[:, :] days
    cdef readonly unsigned char[:] has_sums
    cdef readonly unsigned char[:] uncounted
    cdef readonly unsigned int[:] profile_pane
    cdef readonly long long[:, :] emitted_ms
    cdef readonly short[:, :] emitted_slots
    cdef readonly unsigned char[:, :] emitted_tiers
    cdef readonly float[:, :] emitted_confidences
    cdef readonly unsigned short[:, :] emitted_evidence
    cdef readonly unsigned char[:, :, :] emitted_ranks
    cpdef void move_to(self, Py_ssize_t at)
    cdef object _lay_out(self, object array)
    cdef object _view_control(self)
    cdef object _view_activity(self)
    cdef object _view_beliefs(self)
    cdef object _view_feedback(self)
    cdef object _view_emitted(self)
    cdef object _column(self, name)
