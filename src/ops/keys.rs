//! API keys. Only their digests are stored, so that no log, dump or message can reveal a key.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use sha2::{Digest, Sha256};
use siamese_core::file::{self, Limited, Reserve};
use thiserror::Error;

/// The fewest characters of a key: shorter ones can be guessed.
const SHORTEST: usize = 16;

/// The largest key file, in bytes: it holds hundreds of thousands of keys.
const LARGEST_FILE: u64 = 16 << 20;

/// The time limit for reading a key file.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The reads of key files.
static READS: Limited = Limited::new();

/// The SHA-256 of a key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// Why a text is not a valid key. The message does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidKey {
    /// It is too short.
    #[error("a key must have at least {SHORTEST} characters")]
    TooShort,
    /// It has a character that is invalid in a header (RFC 6750, 2.1).
    #[error("a key may contain only letters, digits and -._~+/=")]
    OddCharacter,
}

/// Keys from the settings: a list, or a text with commas between the keys, as in an environment variable.
///
/// Invariant: there is at least one.
#[derive(Clone, Debug)]
pub struct Fixed(Vec<Key>);

/// The valid keys.
pub struct Keys {
    fixed: Vec<Key>,
    file: Option<PathBuf>,
    /// A reserved descriptor: keys can be revoked even while clients use all others.
    reserve: Arc<Reserve>,
    /// Locked only to copy the pointer.
    ///
    /// In a set, a lookup costs the same for any number of keys. Its duration reveals nothing about a key. The
    /// candidate is hashed before any comparison: by SHA-256, and then with a secret of the process that selects the
    /// bucket. A client can't construct a candidate that matches a part of a key.
    current: RwLock<Arc<HashSet<Key>>>,
}

/// Why a key file can't be used.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The file can't be read as text.
    #[error("{} can't be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file has no keys. This could mean that nobody or everybody may connect, so it is an error.
    #[error("{} contains no key", .0.display())]
    Empty(PathBuf),
    /// A line is not a valid key.
    #[error("line {line} of {}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// Why it is invalid.
        #[source]
        why: InvalidKey,
    },
}

impl Keys {
    /// Loads the keys of the settings and of a file.
    pub fn load(fixed: Option<&Fixed>, file: Option<&Path>) -> Result<Self, KeysError> {
        let fixed = fixed.map_or(Vec::new(), |fixed| fixed.0.clone());
        let keys = Self {
            fixed,
            file: file.map(Path::to_owned),
            reserve: Arc::new(Reserve::new()),
            current: RwLock::default(),
        };
        keys.reload()?;
        Ok(keys)
    }

    /// Reads the file again. If that fails, the keys are unchanged.
    ///
    /// This may take some seconds, so call it on a thread that may block.
    pub fn reload(&self) -> Result<(), KeysError> {
        let mut keys: HashSet<Key> = self.fixed.iter().cloned().collect();
        if let Some(file) = &self.file {
            keys.extend(self.read(file)?);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Vec<Key>, KeysError> {
        let (reserve, file) = (self.reserve.clone(), path.to_owned());
        READS
            .run(READ_TIMEOUT, move || reserve.read(&file, LARGEST_FILE))
            .and_then(|bytes| file::text(bytes?))
            .map_err(|err| KeysError::Unreadable(path.to_owned(), err))
            .and_then(|text| parse(&text, path))
    }

    /// Whether requests need a key: the settings state keys or a key file. This never changes.
    pub fn are_needed(&self) -> bool {
        !self.fixed.is_empty() || self.file.is_some()
    }

    /// Whether a text is one of the keys, in a time that reveals nothing about them.
    pub fn hold(&self, text: &[u8]) -> bool {
        let key = Key(Sha256::digest(text).into());
        self.current.read().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}

/// Parses one key for each line. Blank lines and lines that begin with `#` are ignored.
fn parse(text: &str, path: &Path) -> Result<Vec<Key>, KeysError> {
    let lines = text.lines().map(str::trim).zip(1..);
    let keys = lines
        .filter(|(text, _)| !text.is_empty() && !text.starts_with('#'))
        .map(|(text, line)| {
            Key::new(text).map_err(|why| KeysError::Line { path: path.to_owned(), line, why })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(KeysError::Empty(path.to_owned()));
    }
    Ok(keys)
}

impl Key {
    /// Hashes a text that is valid as a key.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        if text.len() < SHORTEST {
            return Err(InvalidKey::TooShort);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)) {
            return Err(InvalidKey::OddCharacter);
        }
        Ok(Self(Sha256::digest(text).into()))
    }
}

/// Prints nothing of the key, because settings may be printed.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A derived implementation would quote unexpected values in its messages.
impl<'de> Deserialize<'de> for Fixed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Texts)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Fixed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys, or keys separated by commas")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Fixed, E> {
        fixed(text.split(',').map(|key| Ok(key.trim().to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Fixed, A::Error> {
        fixed(std::iter::from_fn(|| texts.next_element::<String>().transpose()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Fixed, E> {
        Err(E::custom(InvalidKey::TooShort))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Fixed, E> {
        Err(E::custom("a key must be a text, not a number"))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Fixed, E> {
        Err(E::custom("a key must be a text, not a number"))
    }
}

fn fixed<E: de::Error>(texts: impl Iterator<Item = Result<String, E>>) -> Result<Fixed, E> {
    let numbered = texts.zip(1..);
    let keys = numbered
        .map(|(text, number)| {
            Key::new(&text?).map_err(|why| E::custom(format_args!("key {number}: {why}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(E::custom("the list is empty; remove the setting if no keys are required"));
    }
    Ok(Fixed(keys))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::process::Command;

    use siamese_core::causes;
    use tempfile::NamedTempFile;

    use super::*;

    const FIRST: &str = "first-key-0123456789";
    const SECOND: &str = "second-key-0123456789";

    fn file(text: &str) -> NamedTempFile {
        let file = NamedTempFile::new().expect("a file");
        fs::write(file.path(), text).expect("written");
        file
    }

    fn load(file: &NamedTempFile) -> Result<Keys, KeysError> {
        Keys::load(None, Some(file.path()))
    }

    #[test]
    fn each_line_is_a_key() {
        let keys = load(&file(&format!("# Ours\n{FIRST}\n\n  {SECOND}  \r\n"))).expect("keys");
        assert!(keys.are_needed());
        assert!(keys.hold(FIRST.as_bytes()) && keys.hold(SECOND.as_bytes()));
        for wrong in ["", "# Ours", "first-key-012345678", "first-key-0123456789 "] {
            assert!(!keys.hold(wrong.as_bytes()), "{wrong:?}");
        }
    }

    #[test]
    fn without_keys_none_is_needed() {
        let keys = Keys::load(None, None).expect("no keys");
        assert!(!keys.are_needed());
    }

    #[track_caller]
    fn refused(text: &str, with: &str) {
        let message = causes(&load(&file(text)).err().expect("no keys"));
        assert!(message.contains(with), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn an_invalid_key_is_refused_by_its_line_without_quoting_it() {
        refused("", "contains no key");
        refused("# Nobody\n\n", "contains no key");
        refused(&format!("# Ours\n{FIRST}\nsecret-15-chars\n"), "line 3 of ");
        refused("secret key with blanks in it", "letters, digits");
        refused("secret-key-with-ümlauts", "letters, digits");
    }

    #[test]
    fn an_invalid_file_leaves_the_keys_unchanged() {
        let file = file(FIRST);
        let keys = load(&file).expect("keys");
        fs::write(file.path(), "").expect("written");
        assert!(keys.reload().is_err());
        assert!(keys.hold(FIRST.as_bytes()));
        fs::write(file.path(), SECOND).expect("written");
        keys.reload().expect("keys");
        assert!(keys.hold(SECOND.as_bytes()) && !keys.hold(FIRST.as_bytes()));
    }

    #[test]
    fn a_key_is_never_printed() {
        let fixed = Fixed(vec![Key::new(FIRST).expect("a key")]);
        let message = format!("{fixed:?}");
        assert!(message.contains("Key(..)") && !message.contains(FIRST), "{message}");
    }

    #[test]
    fn a_lookup_among_twenty_thousand_keys_uses_a_set() {
        let key = |number: u32| format!("key-of-a-crowd-{number:05}");
        let text: String = (0..20_001).map(|number| key(number) + "\n").collect();
        let keys = load(&file(&text)).expect("keys");
        // The type determines the cost: a lookup in a set does not depend on the number of keys.
        let current: &HashSet<Key> = &keys.current.read().expect("no panic");
        assert_eq!(current.len(), 20_001);
        assert!(keys.hold(key(0).as_bytes()) && keys.hold(key(20_000).as_bytes()));
        assert!(!keys.hold(key(20_001).as_bytes()));
    }

    #[test]
    fn a_pipe_instead_of_the_file_is_refused_at_once() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("keys");
        fs::write(&path, FIRST).expect("written");
        let keys = Keys::load(None, Some(&path)).expect("keys");
        fs::remove_file(&path).expect("removed");
        assert!(Command::new("mkfifo").arg(&path).status().expect("the program").success());
        let message = causes(&keys.reload().expect_err("a pipe"));
        assert!(message.contains("not a regular file"), "{message}");
        assert!(keys.hold(FIRST.as_bytes()));
    }

    /// Set in the process of its own that runs this test with few descriptors.
    const ALONE: &str = "SIAMESE_TEST_FEW_DESCRIPTORS";

    #[test]
    fn keys_are_revoked_where_no_descriptor_is_left() {
        if std::env::var_os(ALONE).is_none() {
            let (_, module) = module_path!().split_once("::").expect("the crate's name goes first");
            let name = format!("{module}::keys_are_revoked_where_no_descriptor_is_left");
            let output = Command::new("sh")
                .args(["-c", r#"ulimit -n 64; exec "$0" "$@""#])
                .arg(std::env::current_exe().expect("a path"))
                .args(["--exact", &name, "--nocapture"])
                .env(ALONE, "1")
                .output()
                .expect("a shell");
            let message = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && message.contains("1 passed"), "{output:?}");
            return;
        }
        let file = file(&format!("{FIRST}\n{SECOND}\n"));
        let keys = load(&file).expect("keys");
        fs::write(file.path(), SECOND).expect("written");
        let mut all = Vec::new();
        while let Ok(one) = File::open("/dev/null") {
            all.push(one);
        }
        assert!(fs::read(file.path()).is_err(), "there are descriptors left");
        keys.reload().expect("keys");
        assert!(keys.hold(SECOND.as_bytes()) && !keys.hold(FIRST.as_bytes()));
        // A second time: the reserved descriptor was opened again.
        keys.reload().expect("keys");
        drop(all);
    }
}
