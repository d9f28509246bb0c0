//! Checks the layers of each crate: a module may use only modules after it in the lists below. The test parses the
//! sources, and ignores tests in them.

mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use paths::{Source, read};

/// A crate, and its modules from the outermost to the innermost.
struct Layers {
    /// The crate's name in paths.
    name: &'static str,
    sources: &'static str,
    modules: &'static [&'static str],
    /// Those of its modules whose own modules are held to an order too.
    rooms: &'static [(&'static str, &'static [&'static str])],
}

const CORE: Layers = Layers {
    name: "siamese_core",
    sources: "core/src",
    modules: &[
        "manual",
        "judgement",
        "changes",
        "model",
        "preprocessing",
        "score",
        "file",
        "output",
        "memory",
        "causes",
    ],
    rooms: &[],
};

const SERVER: Layers = Layers {
    name: "siamese",
    sources: "src",
    modules: &["main", "cli", "http", "engine", "ops"],
    rooms: &[
        (
            "http",
            &[
                "fuzzing",
                "page",
                "openapi",
                "routes",
                "middleware",
                "request",
                "service",
                "connection",
                "response",
                "metrics",
                "error",
            ],
        ),
        (
            "engine",
            &[
                "models",
                "readiness",
                "pipeline",
                "deployment",
                "self_test",
                "decode",
                "batch",
                "admission",
                "tuning",
                "cache",
                "watch",
            ],
        ),
        ("ops", &["stop", "settings", "keys", "traces", "telemetry", "blocking", "npy"]),
    ],
};

const TRAINER: Layers = Layers {
    name: "siamese_trainer",
    sources: "trainer/src",
    modules: &[
        "main",
        "cli",
        "report",
        "export",
        "evaluate",
        "learn",
        "config",
        "network",
        "backbone",
        "onnx",
        "data",
        "draft",
        "cache",
        "statistics",
    ],
    rooms: &[],
};

impl Layers {
    /// The modules in which two paths first differ, if their order is checked: at the top level, or in a nested list.
    fn apart(&self, from: &[String], to: &[String]) -> Option<(String, String)> {
        if to[0] == CORE.name {
            return Some((from[0].clone(), to.get(..2)?.join("::")));
        }
        if from[0] != to[0] {
            return Some((from[0].clone(), to[0].clone()));
        }
        let (_, modules) = self.rooms.iter().find(|(room, _)| *room == from[0])?;
        let [one, other] = [from, to].map(|path| path.get(1));
        // Other names belong to the parent module itself, which its modules may use.
        let is_module = other.is_some_and(|name| modules.contains(&name.as_str()));
        (one.is_some() && is_module && one != other)
            .then(|| (from[..2].join("::"), to[..2].join("::")))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files in a folder and its subfolders, in order.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path);
        }
    }
    found
}

/// The uses between modules of a crate, and of the core: each pair with its places.
fn uses(layers: &Layers) -> BTreeMap<(String, String), Vec<String>> {
    let folder = root().join(layers.sources);
    let mut sources = Vec::new();
    for path in files(&folder) {
        let place = path.strip_prefix(&folder).expect("it is under the folder");
        let text = fs::read_to_string(&path).expect("a source");
        let shown = path.strip_prefix(root()).expect("it is under the root").display().to_string();
        sources.push((shown, read(&text, &paths::module(place), layers.name, CORE.name)));
    }
    let tests: BTreeSet<Vec<String>> =
        sources.iter().flat_map(|(_, source)| source.tests.clone()).collect();

    let mut uses = BTreeMap::<_, Vec<_>>::new();
    for (shown, Source { module, paths, .. }) in sources {
        if module.is_empty() {
            continue;
        }
        if tests.iter().any(|test| module.starts_with(test)) {
            continue;
        }
        for path in paths {
            let Some((from, to)) = layers.apart(&module, &path.to) else { continue };
            let place = format!("{shown}:{}", path.line);
            uses.entry((from, to)).or_default().push(place);
        }
    }
    uses
}

/// The position of each module; the core's modules come after the crate's own.
fn order(layers: &Layers) -> BTreeMap<String, usize> {
    let rooms = layers
        .rooms
        .iter()
        .flat_map(|(room, modules)| modules.iter().map(move |module| format!("{room}::{module}")));
    let own = layers.modules.iter().map(|module| (*module).to_owned()).chain(rooms);
    let core = CORE.modules.iter().map(|module| format!("{}::{module}", CORE.name));
    own.chain(core).zip(0..).collect()
}

#[track_caller]
fn check(layers: &Layers) {
    let order = order(layers);
    let mut wrong = Vec::new();
    for ((from, to), places) in uses(layers) {
        let complaint = match (order.get(&from), order.get(&to)) {
            (Some(from), Some(to)) if from < to => continue,
            (Some(_), Some(_)) => format!("`{from}` uses `{to}`, which does not stand after it"),
            _ => format!("`{from}` uses `{to}`, and one of them is in no list"),
        };
        wrong.extend(places.iter().map(|place| format!("{place}: {complaint}")));
    }
    assert!(wrong.is_empty(), "layers of {}:\n{}", layers.sources, wrong.join("\n"));
}

#[test]
fn the_core_follows_its_layers() {
    check(&CORE);
}

#[test]
fn the_server_follows_its_layers() {
    check(&SERVER);
}

#[test]
fn the_trainer_follows_its_layers() {
    check(&TRAINER);
}

#[test]
fn each_module_is_in_the_list_of_its_crate() {
    for layers in [CORE, SERVER, TRAINER] {
        let folder = root().join(layers.sources);
        let there: BTreeSet<String> = files(&folder)
            .iter()
            .map(|path| paths::module(path.strip_prefix(&folder).expect("it is under the folder")))
            .filter_map(|module| module.first().cloned())
            .collect();
        let listed = layers.modules.iter().map(|module| (*module).to_owned()).collect();
        assert_eq!(there, listed, "modules of {}", layers.sources);
        for (room, modules) in layers.rooms {
            let there: BTreeSet<String> = files(&folder.join(room))
                .iter()
                .map(|path| paths::module(path.strip_prefix(folder.join(room)).expect("in it")))
                .filter_map(|module| module.first().cloned())
                .collect();
            let listed = modules.iter().map(|module| (*module).to_owned()).collect();
            assert_eq!(there, listed, "modules of {}/{room}", layers.sources);
        }
    }
}

#[test]
fn no_folder_has_more_than_a_dozen_entries() {
    for folder in folders(&root().join(SERVER.sources)) {
        let entries = fs::read_dir(&folder).expect("a folder").count();
        assert!(entries <= 12, "{} has {entries}", folder.display());
    }
}

/// A folder and all of its subfolders.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let below = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let below = below.flat_map(|path| folders(&path));
    std::iter::once(folder.to_owned()).chain(below).collect()
}

/// All packages that a package can depend on, by the lock file: for any feature and system, and for its tests.
fn reached(package: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    let lock: toml::Table = text.parse().expect("TOML");
    let mut needs = BTreeMap::<&str, BTreeSet<&str>>::new();
    for entry in lock["package"].as_array().expect("packages") {
        let needed = entry.get("dependencies").and_then(toml::Value::as_array);
        // If several versions exist, the version follows the name.
        let needed =
            needed.into_iter().flatten().filter_map(|name| name.as_str()?.split(' ').next());
        needs.entry(entry["name"].as_str().expect("a name")).or_default().extend(needed);
    }
    let mut reached = BTreeSet::new();
    let mut left = vec![package];
    while let Some(package) = left.pop() {
        if reached.insert(package.to_owned()) {
            left.extend(needs.get(package).into_iter().flatten());
        }
    }
    reached
}

#[track_caller]
fn check_reached(package: &str, forbidden: &[&str]) {
    let reached = reached(package);
    assert!(10 < reached.len(), "{package} is not in the lock file");
    let found: Vec<_> = forbidden.iter().filter(|name| reached.contains(**name)).collect();
    assert!(found.is_empty(), "{package} reaches {found:?}; `cargo tree` tells by which way");
}

#[test]
fn the_core_and_the_trainer_depend_on_no_server_crate() {
    check_reached(
        "siamese-core",
        &["siamese", "tokio", "axum", "hyper", "rustls", "prometheus-client", "tower-http"],
    );
    check_reached("siamese-trainer", &["siamese", "axum", "prometheus-client", "tower-http"]);
}

#[test]
fn only_the_server_enables_schemas() {
    let manifest = |path: &str| -> toml::Table {
        fs::read_to_string(root().join(path)).expect("a manifest").parse().expect("TOML")
    };
    let core = manifest("core/Cargo.toml");
    assert_eq!(core["dependencies"]["utoipa"]["optional"].as_bool(), Some(true));
    assert!(!core["features"].as_table().expect("features").contains_key("default"));
    let trainer = manifest("trainer/Cargo.toml")["dependencies"]["siamese-core"].to_string();
    assert!(!trainer.contains("openapi"), "{trainer}");
}
