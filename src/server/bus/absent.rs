//! Stands where the NATS client would, in a program that was built without it; a herd.toml that asks for a bus is
//! refused there, so nobody meets it.

use super::keeper::{End, Keeping};
use super::trouble::Trouble;

pub(super) async fn bridge(_: &mut Keeping) -> End {
    Trouble::Unreachable.into()
}
