//! The text notation: reading and writing patterns (SPEC B4).
