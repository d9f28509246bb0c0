//! The trace context of a request (W3C Trace Context).

use std::fmt;

use uuid::Uuid;

/// The id of a trace; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub(super) u128);

/// The id of a span; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanId(pub(super) u64);

/// The parent span of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its trace.
    pub trace: TraceId,
    pub(super) span: SpanId,
    /// Whether it is sampled; its children then are too.
    pub sampled: bool,
}

impl Parent {
    /// Parses a header `traceparent`; `None` if it is invalid.
    pub fn parse(header: &[u8]) -> Option<Self> {
        // Later versions may append more after another dash.
        let (head, rest) = header.split_at_checked(55)?;
        let version = hex(&head[..2])?;
        let dashes = [2, 35, 52].iter().all(|index| head[*index] == b'-');
        let whole = rest.is_empty() || (version != 0 && rest[0] == b'-');
        if !dashes || !whole || version == 0xff {
            return None;
        }
        let trace = hex(&head[3..35]).filter(|id| *id != 0)?;
        let span = u64::try_from(hex(&head[36..52])?).ok().filter(|id| *id != 0)?;
        let flags = hex(&head[53..])?;
        Some(Self { trace: TraceId(trace), span: SpanId(span), sampled: flags & 1 == 1 })
    }
}

/// Parses a number of lower-case hex digits.
fn hex(digits: &[u8]) -> Option<u128> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(lower))?;
    u128::from_str_radix(digits, 16).ok()
}

impl TraceId {
    pub(super) fn random() -> Self {
        // The version and the variant of the UUID are in the upper half; the 7 bytes that must be random are.
        Self(Uuid::new_v4().as_u128())
    }

    /// Whether the trace is in this share of all traces. All servers give the same result.
    pub(super) fn is_among(self, ratio: f64) -> bool {
        // As many random bits as a float can hold: all 56 would round up to 1.
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
    fn a_valid_parent_is_parsed() {
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
    fn later_versions_may_append_fields() {
        let header = format!("cc-{TRACE}-00f067aa0ba902b7-01-more");
        assert!(Parent::parse(header.as_bytes()).is_some());
    }

    #[test]
    fn an_invalid_parent_is_ignored() {
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
            let header = good.replacen(part, bad, 1);
            assert_eq!(Parent::parse(header.as_bytes()), None, "{header}");
        }
    }

    #[test]
    fn the_ratio_selects_a_share_of_all_traces() {
        assert!(TraceId(1).is_among(1e-9) && !TraceId(1).is_among(0.0));
        assert!(!TraceId(u128::MAX).is_among(0.999) && TraceId(u128::MAX).is_among(1.0));
        let among = (0..1000).filter(|_| TraceId::random().is_among(0.5)).count();
        assert!((300..700).contains(&among), "{among}");
    }
}
