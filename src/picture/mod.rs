//! From a stranger's bytes to the pixels a tower reads.
