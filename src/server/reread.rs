//! What a server has from files and reads again while it runs: its secret, its certificates.
//!
//! Read at each connection, so that whoever replaces a file has changed what a running server uses: there is nothing to
//! be sent, and nothing to be forgotten. A file that cannot be used changes nothing, and the log says so once.

use std::cell::RefCell;

use tracing::{info, warn};

/// Something that is read from files.
pub(super) trait Reread: Clone {
    /// What the log calls it.
    const NAME: &'static str;

    /// Reads it once more; nothing if it has not changed.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    fn again(&self) -> Result<Option<Self>, String>;

    /// What has become of it; no secret.
    fn news(&self) -> String;
}

/// The last of it that could be used.
pub(super) struct Kept<T> {
    kept: RefCell<T>,
    /// Why it cannot be used as it is now.
    trouble: RefCell<Option<String>>,
}

impl<T: Reread> Kept<T> {
    pub(super) fn new(kept: T) -> Self {
        Self { kept: RefCell::new(kept), trouble: RefCell::default() }
    }

    /// As it was when it was last read.
    pub(super) fn last(&self) -> T {
        self.kept.borrow().clone()
    }

    /// As it is now.
    pub(super) fn now(&self) -> T {
        let mut kept = self.kept.borrow_mut();
        let trouble = match kept.again() {
            Ok(None) => None,
            Ok(Some(changed)) => {
                info!("{} has changed: {}", T::NAME, changed.news());
                *kept = changed;
                None
            }
            Err(why) => Some(why),
        };
        if let Some(why) = &trouble
            && trouble != *self.trouble.borrow()
        {
            warn!("{} stays what it was: {why}", T::NAME);
        }
        self.trouble.replace(trouble);
        kept.clone()
    }
}
