//! What a client says of the trace that its request is part of (W3C Trace Context).

use std::fmt;

use uuid::Uuid;

/// A trace's id: not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub(super) u128);

/// A span's id: not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanId(pub(super) u64);

/// The span that a request is a child of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its trace.
    pub trace: TraceId,
    pub(super) span: SpanId,
    /// Whether it is recorded; its children then are too.
    pub sampled: bool,
}

impl Parent {
    /// Reads a header `traceparent`; `None` where it is none that can be followed.
    pub fn parse(header: &[u8]) -> Option<Self> {
        // Later versions may say more after another dash.
        let (head, rest) = header.split_at_checked(55)?;
        let version = hex(&head[..2])?;
        let dashes = [2, 35, 52].iter().all(|it| head[*it] == b'-');
        let whole = rest.is_empty() || (version != 0 && rest[0] == b'-');
        if !dashes || !whole || version == 0xff {
            return None;
        }
        let trace = hex(&head[3..35]).filter(|it| *it != 0)?;
        let span = u64::try_from(hex(&head[36..52])?).ok().filter(|it| *it != 0)?;
        let flags = hex(&head[53..])?;
        Some(Self { trace: TraceId(trace), span: SpanId(span), sampled: flags & 1 == 1 })
    }
}

/// A number in lower-case hex digits, and nothing else.
fn hex(digits: &[u8]) -> Option<u128> {
    let lower = |it: &u8| it.is_ascii_digit() || (b'a'..=b'f').contains(it);
    let digits = std::str::from_utf8(digits).ok().filter(|it| it.bytes().all(|it| lower(&it)))?;
    u128::from_str_radix(digits, 16).ok()
}

impl TraceId {
    pub(super) fn random() -> Self {
        // A version and a variant are told in the upper half; the 7 bytes that must be random are.
        Self(Uuid::new_v4().as_u128())
    }

    /// Whether it is in this share of all traces: the same for each server that asks.
    pub(super) fn is_among(self, ratio: f64) -> bool {
        // As many of the random bits as a float holds: all 56 would round up to 1.
        const PLACES: u128 = 1 << 53;
        #[expect(clippy::cast_precision_loss, reason = "both are exact")]
        let place = ((self.0 >> 3) % PLACES) as f64 / PLACES as f64;
        place < ratio
    }
}

impl SpanId {
    pub(super) fn random() -> Self {
        let (_, half) = Uuid::new_v4().as_u64_pair();
        Self(half)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_parent_is_followed() {
        let parent =
            |flags: &str| Parent::parse(format!("00-{TRACE}-00f067aa0ba902b7-{flags}").as_bytes());
        let sampled = parent("01").expect("a parent");
        assert_eq!(sampled.trace.to_string(), TRACE);
        assert_eq!(sampled.span.to_string(), "00f067aa0ba902b7");
        assert!(sampled.sampled);
        assert!(!parent("00").expect("a parent").sampled);
        assert!(parent("ff").expect("a parent").sampled);
    }

    #[test]
    fn later_versions_may_say_more() {
        let said = format!("cc-{TRACE}-00f067aa0ba902b7-01-more");
        assert!(Parent::parse(said.as_bytes()).is_some());
    }

    #[test]
    fn what_is_no_parent_is_not_followed() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert!(Parent::parse(good.as_bytes()).is_some());
        for (part, bad) in [
            ("00-4", "ff-4"),
            ("-01", "-01-more"),
            ("-01", "-0"),
            ("-01", "_01"),
            ("4bf9", "4BF9"),
            ("4bf9", "+bf9"),
            ("00f067aa0ba902b7", "0000000000000000"),
            (TRACE, "00000000000000000000000000000000"),
            (good.as_str(), ""),
            ("4bf9", "é93"),
        ] {
            let said = good.replacen(part, bad, 1);
            assert_eq!(Parent::parse(said.as_bytes()), None, "{said}");
        }
    }

    #[test]
    fn a_share_is_of_all_traces() {
        assert!(TraceId(1).is_among(1e-9) && !TraceId(1).is_among(0.0));
        assert!(!TraceId(u128::MAX).is_among(0.999) && TraceId(u128::MAX).is_among(1.0));
        let among = (0..1000).filter(|_| TraceId::random().is_among(0.5)).count();
        assert!((300..700).contains(&among), "{among}");
    }
}
