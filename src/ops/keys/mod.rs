//! API keys, their names and their rate limits. Only digests of keys are stored, so that no log, dump or message can
//! reveal a key.

mod caller;
mod entry;
mod fixed;

use std::collections::hash_map::{Entry as Slot, HashMap};
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use siamese_core::file::{self, Limited as LimitedReads, Reserve};
use thiserror::Error;

pub use caller::{Caller, Limited, Rate};
pub use entry::{InvalidKey, Key};
pub use fixed::Fixed;

use entry::Entry;

/// The largest key file, in bytes: it holds hundreds of thousands of keys.
const LARGEST_FILE: u64 = 16 << 20;

/// The time limit for reading a key file.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The reads of key files.
static READS: LimitedReads = LimitedReads::new();

/// The valid keys, each with its caller. All keys without a name have one caller, which has no limits.
type Callers = HashMap<Key, Arc<Caller>>;

/// The valid keys.
pub struct Keys {
    fixed: Vec<Entry>,
    file: Option<PathBuf>,
    /// A reserved descriptor: keys can be revoked even while clients use all others.
    reserve: Arc<Reserve>,
    /// Locked only to copy the pointer.
    ///
    /// In a map, a lookup costs the same for any number of keys. Its duration reveals nothing about a key. The
    /// candidate is hashed before any comparison: by SHA-256, and then with a secret of the process that selects the
    /// bucket. A client can't construct a candidate that matches a part of a key.
    current: RwLock<Arc<Callers>>,
}

/// Why keys can't be used.
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
    /// Two keys have one name.
    #[error("two API keys have the name {0:?}; each name must be given once")]
    NameRepeated(String),
    /// A key with a name is given twice.
    #[error("the API key {0:?} is given more than once")]
    KeyRepeated(String),
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

    /// Reads the file again. If that fails, the keys are unchanged. A name whose limits are as before keeps what it has
    /// spent of them.
    ///
    /// This may take some seconds, so call it on a thread that may block.
    pub fn reload(&self) -> Result<(), KeysError> {
        let mut entries = self.fixed.clone();
        if let Some(file) = &self.file {
            entries.extend(self.read(file)?);
        }
        let callers = callers(entries, &self.current())?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(callers);
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>, KeysError> {
        let (reserve, file) = (self.reserve.clone(), path.to_owned());
        READS
            .run(READ_TIMEOUT, move || reserve.read(&file, LARGEST_FILE))
            .and_then(|bytes| file::text(bytes?))
            .map_err(|err| KeysError::Unreadable(path.to_owned(), err))
            .and_then(|text| parse(&text, path))
    }

    fn current(&self) -> Arc<Callers> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether requests need a key: the settings state keys or a key file. This never changes.
    pub fn are_needed(&self) -> bool {
        !self.fixed.is_empty() || self.file.is_some()
    }

    /// The caller whose key a text is, in a time that reveals nothing about the keys.
    pub fn find(&self, text: &[u8]) -> Option<Arc<Caller>> {
        self.current().get(&Key::of(text)).cloned()
    }

    /// The names of the keys. An empty one stands for all keys without a name.
    pub fn names(&self) -> BTreeSet<Arc<str>> {
        self.current().values().map(|caller| caller.name().clone()).collect()
    }
}

/// The callers of keys. A caller that was there before, with the same limits, stays.
fn callers(entries: Vec<Entry>, before: &Callers) -> Result<Callers, KeysError> {
    let before: HashMap<&str, &Arc<Caller>> =
        before.values().map(|caller| (&**caller.name(), caller)).collect();
    let unnamed = Arc::new(Caller::default());
    let mut names = HashSet::new();
    let mut callers = Callers::with_capacity(entries.len());
    for Entry { key, name, limits } in entries {
        let caller = match before.get(&*name) {
            _ if name.is_empty() => unnamed.clone(),
            Some(caller) if caller.limits() == limits => Arc::clone(caller),
            _ => Arc::new(Caller::new(&name, limits)),
        };
        match callers.entry(key) {
            Slot::Vacant(slot) => drop(slot.insert(caller)),
            Slot::Occupied(slot) if name.is_empty() && slot.get().name().is_empty() => {}
            Slot::Occupied(slot) => {
                let other = slot.get().name().to_string();
                return Err(KeysError::KeyRepeated(if name.is_empty() { other } else { name }));
            }
        }
        if !name.is_empty() && !names.insert(name.clone()) {
            return Err(KeysError::NameRepeated(name));
        }
    }
    Ok(callers)
}

/// Parses one key for each line. Blank lines and lines that begin with `#` are ignored.
fn parse(text: &str, path: &Path) -> Result<Vec<Entry>, KeysError> {
    let lines = text.lines().map(str::trim).zip(1..);
    let keys = lines
        .filter(|(text, _)| !text.is_empty() && !text.starts_with('#'))
        .map(|(text, line)| {
            Entry::parse(text).map_err(|why| KeysError::Line { path: path.to_owned(), line, why })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(KeysError::Empty(path.to_owned()));
    }
    Ok(keys)
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
        assert!(keys.find(FIRST.as_bytes()).is_some() && keys.find(SECOND.as_bytes()).is_some());
        for wrong in ["", "# Ours", "first-key-012345678", "first-key-0123456789 "] {
            assert!(keys.find(wrong.as_bytes()).is_none(), "{wrong:?}");
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
    fn a_key_finds_its_name() {
        let keys = load(&file(&format!("team-a:{FIRST} requests_per_second=5\n{SECOND}\n")));
        let keys = keys.expect("keys");
        let name = |key: &str| keys.find(key.as_bytes()).expect("a caller").name().to_string();
        assert_eq!([name(FIRST), name(SECOND)], ["team-a", ""]);
        assert!(keys.find(format!("team-a:{FIRST}").as_bytes()).is_none());
        assert_eq!(keys.names().into_iter().collect::<Vec<_>>(), ["".into(), "team-a".into()]);
    }

    #[test]
    fn a_name_or_a_key_given_twice_is_refused() {
        refused(&format!("a:{FIRST}\nb:{SECOND}\na:third-key-0123456789"), r#"have the name "a";"#);
        refused(&format!("a:{FIRST}\nb:{FIRST}"), r#"key "b" is given more than once"#);
        refused(&format!("a:{FIRST}\n{FIRST}"), r#"key "a" is given more than once"#);
        refused(&format!("{FIRST}\na:{FIRST}"), r#"key "a" is given more than once"#);
        load(&file(&format!("{FIRST}\n{FIRST}"))).expect("keys without names may be repeated");
        let fixed = serde_json::from_str(&format!(r#"["a:{FIRST}"]"#)).expect("keys");
        let file = file(&format!("a:{SECOND}"));
        let err = Keys::load(Some(&fixed), Some(file.path())).err().expect("no keys");
        assert!(matches!(err, KeysError::NameRepeated(_)), "{err}");
    }

    #[test]
    fn a_reload_returns_nothing_that_is_spent_unless_the_limits_change() {
        let line = |key: &str, rate: f64| format!("a:{key} requests_per_second={rate}");
        let file = file(&line(FIRST, 0.001));
        let keys = load(&file).expect("keys");
        let admits = |key: &str| keys.find(key.as_bytes()).expect("a caller").admit().is_ok();
        assert!(admits(FIRST) && !admits(FIRST));
        fs::write(file.path(), line(SECOND, 0.001)).expect("written");
        keys.reload().expect("keys");
        assert!(keys.find(FIRST.as_bytes()).is_none() && !admits(SECOND));
        fs::write(file.path(), line(SECOND, 0.002)).expect("written");
        keys.reload().expect("keys");
        assert!(admits(SECOND) && !admits(SECOND));
    }

    #[test]
    fn an_invalid_file_leaves_the_keys_unchanged() {
        let file = file(FIRST);
        let keys = load(&file).expect("keys");
        fs::write(file.path(), "").expect("written");
        assert!(keys.reload().is_err());
        assert!(keys.find(FIRST.as_bytes()).is_some());
        fs::write(file.path(), SECOND).expect("written");
        keys.reload().expect("keys");
        assert!(keys.find(SECOND.as_bytes()).is_some() && keys.find(FIRST.as_bytes()).is_none());
    }

    #[test]
    fn a_lookup_among_twenty_thousand_keys_uses_a_map() {
        let key = |number: u32| format!("key-of-a-crowd-{number:05}");
        let text: String = (0..20_001).map(|number| key(number) + "\n").collect();
        let keys = load(&file(&text)).expect("keys");
        // The type determines the cost: a lookup in a map does not depend on the number of keys.
        let current: &HashMap<Key, _> = &keys.current.read().expect("no panic");
        assert_eq!(current.len(), 20_001);
        assert!(
            keys.find(key(0).as_bytes()).is_some() && keys.find(key(20_000).as_bytes()).is_some()
        );
        assert!(keys.find(key(20_001).as_bytes()).is_none());
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
        assert!(keys.find(FIRST.as_bytes()).is_some());
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
        assert!(keys.find(SECOND.as_bytes()).is_some() && keys.find(FIRST.as_bytes()).is_none());
        // A second time: the reserved descriptor was opened again.
        keys.reload().expect("keys");
        drop(all);
    }
}
