//! Names of files.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Names of files that Windows writes into folders.
const WINDOWS: [&str; 3] = ["thumbs.db", "ehthumbs.db", "desktop.ini"];

/// Whether a desktop or an archive program left a file or a folder of this name in a folder of images: `.DS_Store`,
/// `._x` and all other names with a dot at the start, and `Thumbs.db`.
pub fn is_left_by_desktop(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
        || WINDOWS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A path as text on one line. Bytes that are not UTF-8, and control characters, are shown like `\xff`, and a backslash
/// as `\\`, so that different paths have different texts.
pub fn shown(path: &Path) -> String {
    let mut text = String::new();
    let escape = |text: &mut String, byte: &u8| {
        write!(text, "\\x{byte:02x}").expect("writing to a String cannot fail");
    };
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\\' {
                text.push_str("\\\\");
            } else if character.is_control() {
                character
                    .encode_utf8(&mut [0; 4])
                    .as_bytes()
                    .iter()
                    .for_each(|byte| escape(&mut text, byte));
            } else {
                text.push(character);
            }
        }
        chunk.invalid().iter().for_each(|byte| escape(&mut text, byte));
    }
    text
}

/// The path that is [shown] as a text.
pub fn path_of(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hexadecimal = |digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok();
        let (byte, after) = match rest {
            [b'\\', b'\\', after @ ..] => (b'\\', after),
            [b'\\', b'x', one, other, after @ ..] => {
                (hexadecimal(&[*one, *other]).unwrap_or(*first), after)
            }
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_on_one_line_with_all_its_bytes() {
        let path = Path::new(OsStr::from_bytes(b"d\xc3\xa9/a\xff\xfeb\nc"));
        assert_eq!(shown(path), "d\u{e9}/a\\xff\\xfeb\\x0ac");
        assert_eq!(shown(Path::new("a\\xff")), "a\\\\xff");
        for path in [path, Path::new("a\\xff"), Path::new("\\\\x\\x0"), Path::new("")] {
            assert_eq!(path_of(&shown(path)), path);
        }
    }

    #[test]
    fn files_of_a_desktop_are_known_by_their_names() {
        for name in [".DS_Store", "._a.jpg", ".git", "Thumbs.db", "Desktop.ini"] {
            assert!(is_left_by_desktop(OsStr::new(name)), "{name}");
        }
        for name in ["a.jpg", "Thumbs.db.jpg", "x.y"] {
            assert!(!is_left_by_desktop(OsStr::new(name)), "{name}");
        }
    }
}
