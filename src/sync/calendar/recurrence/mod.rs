//! Recurrence: what Advoware can express, and the instances of what it cannot (C5).
