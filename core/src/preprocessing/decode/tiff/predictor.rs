//! Samples that are told by how far each is from the one before it in its row and channel.

use std::borrow::Cow;

use super::directory::Order;
use super::kind::Kind;
use super::parts::Part;

/// Adds up the differences of each row, if there are any.
pub(super) fn undo(bytes: &mut Cow<[u8]>, part: &Part, kind: &Kind) {
    if !kind.is_predicted {
        return;
    }
    let samples = kind.samples_in_row();
    for row in bytes.to_mut().chunks_exact_mut(part.row_bytes(kind)) {
        if kind.bits == 8 {
            for at in samples..row.len() {
                row[at] = row[at].wrapping_add(row[at - samples]);
            }
        } else {
            let (values, _) = row.as_chunks_mut();
            for at in samples..values.len() {
                let [value, before] = [values[at], values[at - samples]];
                values[at] = match kind.order {
                    Order::LeastFirst => {
                        let sum =
                            u16::from_le_bytes(value).wrapping_add(u16::from_le_bytes(before));
                        sum.to_le_bytes()
                    }
                    Order::MostFirst => {
                        let sum =
                            u16::from_be_bytes(value).wrapping_add(u16::from_be_bytes(before));
                        sum.to_be_bytes()
                    }
                };
            }
        }
    }
}
