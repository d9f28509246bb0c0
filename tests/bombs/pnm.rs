//! PNM bombs: endless numbers and comments.

use crate::{Bomb, LARGE};

pub(crate) fn bombs() -> Vec<Bomb> {
    vec![
        ("pnm: a remark without end", || {
            [&b"P5 #"[..], &vec![b'x'; LARGE], b"\n1 1 255\nx"].concat()
        }),
        ("pnm: a number without end", || [&b"P2 1 1 255 "[..], &vec![b'0'; LARGE], b"1 "].concat()),
        ("pnm: a side without end", || [&b"P5 "[..], &vec![b'9'; LARGE], b" 1 255\nx"].concat()),
        ("pnm: space without end", || [&b"P2 1 1 255 "[..], &vec![b' '; LARGE], b"1 "].concat()),
        ("pnm: a tuple type without end", || {
            let line = b"TUPLTYPE RGB\n".repeat(LARGE / 13);
            [&b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\n"[..], &line, b"ENDHDR\nxyz"].concat()
        }),
    ]
}
