//! bad_state
