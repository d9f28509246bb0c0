//! A decoder's panic: an error of one picture, told with the error and not by the panic hook.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use crate::picture::{Diagnosis, PictureError};

thread_local! {
    /// What the panic said that this thread is about to catch; `None` outside [`guard`].
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Turns a panic into an error, so that it costs one picture only.
pub(in crate::picture) fn guard<T>(
    work: impl FnOnce() -> Result<T, PictureError>,
) -> Result<T, PictureError> {
    CAUGHT.set(Some(String::new()));
    // Nothing that was at work outlives the call, so there is no state to be left broken.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let told = CAUGHT.take().unwrap_or_default();
    outcome.unwrap_or_else(|payload| {
        let text = if told.is_empty() { message(&*payload) } else { &told };
        Err(PictureError::DecoderFailed(Diagnosis::new(format_args!("it panicked: {text}"))))
    })
}

/// For panic hooks: whether the panic is caught here and comes back as an error with what it said. A hook that writes a
/// line of its own would let uploads write as many lines as there are uploads.
pub fn catches(panic: &PanicHookInfo) -> bool {
    CAUGHT.with_borrow_mut(|caught| {
        let Some(told) = caught else { return false };
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        *told = format!("{} at {place}", panic.payload_as_str().unwrap_or("no message"));
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
    fn a_panic_is_an_error_that_tells_what_it_said() {
        let answer = guard(|| -> Result<(), _> { panic!("a decoder's defect") });
        let Err(PictureError::DecoderFailed(why)) = answer else { panic!("{answer:?}") };
        assert!(why.to_string().contains("a decoder's defect"), "{why}");
    }
}
