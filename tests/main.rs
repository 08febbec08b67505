//! The one integration binary. What is tested where:
//!
//! - `supervisor`: the herd with stand-ins for its servers: states, orders, readiness, the den, signals, detaching.

mod supervisor;
