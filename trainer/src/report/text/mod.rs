//! Results as text for a terminal.

mod sections;
mod side_by_side;
mod table;

pub use sections::UnseenLines;
pub(super) use sections::{chosen_for, held_out};
pub use side_by_side::TableOfTwo;
pub use table::Table;
