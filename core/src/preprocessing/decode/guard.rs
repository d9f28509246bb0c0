//! Catches a decoder's panic and turns it into an error of one image. The panic hook does not report it.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use crate::preprocessing::{DecodeError, Diagnosis};

thread_local! {
    /// The message of the panic that this thread is about to catch; `None` outside [`guard`].
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Turns a panic into an error, so that it affects only one image.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    CAUGHT.set(Some(String::new()));
    // No state of the work outlives the call, so none can be left inconsistent.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let text = CAUGHT.take().unwrap_or_default();
    outcome.unwrap_or_else(|payload| {
        let text = if text.is_empty() { message(&*payload) } else { &text };
        Err(DecodeError::DecoderFailed(Diagnosis::new(format_args!("it panicked: {text}"))))
    })
}

/// For panic hooks: whether the panic is caught here and returned as an error with its message. A hook that also
/// logged it would let each upload write a log line.
pub fn catches(panic: &PanicHookInfo) -> bool {
    CAUGHT.with_borrow_mut(|caught| {
        let Some(text) = caught else { return false };
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        *text = format!("{} at {place}", panic.payload_as_str().unwrap_or("no message"));
        true
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        let outcome = guard(|| -> Result<(), _> { panic!("a decoder's defect") });
        let Err(DecodeError::DecoderFailed(why)) = outcome else { panic!("{outcome:?}") };
        assert!(why.to_string().contains("a decoder's defect"), "{why}");
    }
}
