//! What becomes of a server's panic: it ends the server's thread, and its message, with the place in the
//! source, becomes the note that `ps` shows.
//!
//! The hook is installed once for the process. It keeps the message of a panic on a server's thread and
//! prints nothing, for the terminal belongs to the merged log; every other thread keeps the hook it had.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use crate::limits;

/// Runs `body` on this thread and turns its panic into what the panic said.
///
/// # Errors
///
/// The message of the panic, safe to print, with the place it came from.
pub fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    install();
    CONTAINED.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    CONTAINED.set(false);
    let last_words = LAST_WORDS.take();
    outcome.map_err(|payload| last_words.unwrap_or_else(|| said(payload.as_ref())))
}

thread_local! {
    /// Whether this thread's panics are contained now.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    /// What the last of them said.
    static LAST_WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !keep(info) {
                others(info);
            }
        }));
    });
}

/// Keeps what a panic said if its thread is contained. A hook must not panic, hence the `try_`s.
fn keep(info: &PanicHookInfo<'_>) -> bool {
    if !CONTAINED.try_with(Cell::get).unwrap_or(false) {
        return false;
    }
    let said = said(info.payload());
    let told = match info.location() {
        Some(place) => format!("{said} ({}:{})", place.file(), place.line()),
        None => said,
    };
    let _ = LAST_WORDS.try_with(|words| words.try_borrow_mut().map(|mut words| *words = Some(told)));
    true
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    printable(text)
}

/// `text` on one line, without control characters and not longer than a person wants: what a server says
/// of itself may hold what a client sent.
pub fn printable(text: &str) -> String {
    let mut safe = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == limits::NOTE_CHARS_MAX {
            safe.push('…');
            break;
        }
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place() {
        let told = contain(|| panic!("no such {}", "thing")).unwrap_err();
        assert!(told.starts_with("no such thing (src/herd/panics.rs:"), "{told}");
    }

    #[test]
    fn a_resumed_panic_is_told_too() {
        let told = contain(|| panic::resume_unwind(Box::new("carried over"))).unwrap_err();
        assert_eq!(told, "carried over");
    }

    #[test]
    fn no_panic_is_no_news_even_after_an_inner_one() {
        assert_eq!(contain(|| panic::catch_unwind(|| panic!("inner")).is_err()), Ok(true));
    }

    #[test]
    fn what_a_client_sent_cannot_move_the_cursor() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
    }

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(printable(&"é".repeat(1000)).chars().count(), limits::NOTE_CHARS_MAX + 1);
    }
}
