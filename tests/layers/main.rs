//! Holds each crate to its layers: a module uses only what stands after it in the lists below. Sources are read, not
//! compiled, and tests in them don't count.

mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use paths::{Source, read};

/// A crate, and its modules from the outermost to the innermost.
struct Layers {
    /// As paths name it.
    name: &'static str,
    sources: &'static str,
    modules: &'static [&'static str],
}

const CORE: Layers = Layers {
    name: "siamese_core",
    sources: "core/src",
    modules: &["model", "picture", "score", "file", "memory", "causes"],
};

const SERVER: Layers = Layers {
    name: "siamese",
    sources: "src",
    modules: &[
        "main",
        "cli",
        "http",
        "stop",
        "readiness",
        "deployment",
        "self_test",
        "batch",
        "settings",
        "judgement",
        "cache",
        "keys",
        "worker",
        "traces",
        "watch",
        "warm_up",
        "telemetry",
        "aside",
        "npy",
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
        "data",
        "draft",
        "statistics",
    ],
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of Rust under a folder, in order.
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

/// What a crate's modules use of each other and of the core: for each such pair, where.
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
        let Some(from) = module.first() else { continue };
        if tests.iter().any(|test| module.starts_with(test)) {
            continue;
        }
        for path in paths.into_iter().filter(|path| path.to != *from) {
            let place = format!("{shown}:{}", path.line);
            uses.entry((from.clone(), path.to)).or_default().push(place);
        }
    }
    uses
}

/// Where each module stands, the core's modules after a crate's own.
fn order(layers: &Layers) -> BTreeMap<String, usize> {
    let own = layers.modules.iter().map(|module| (*module).to_owned());
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
fn the_core_keeps_to_its_layers() {
    check(&CORE);
}

#[test]
fn the_server_keeps_to_its_layers() {
    check(&SERVER);
}

#[test]
fn the_trainer_keeps_to_its_layers() {
    check(&TRAINER);
}

#[test]
fn each_module_stands_in_its_crate_s_list() {
    for layers in [CORE, SERVER, TRAINER] {
        let folder = root().join(layers.sources);
        let there: BTreeSet<String> = files(&folder)
            .iter()
            .map(|path| paths::module(path.strip_prefix(&folder).expect("it is under the folder")))
            .filter_map(|module| module.first().cloned())
            .collect();
        let listed = layers.modules.iter().map(|module| (*module).to_owned()).collect();
        assert_eq!(there, listed, "modules of {}", layers.sources);
    }
}

/// All packages that a package may reach by the lock file: with any feature, on any system, in its tests too.
fn reached(package: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    let lock: toml::Table = text.parse().expect("TOML");
    let mut needs = BTreeMap::<&str, BTreeSet<&str>>::new();
    for entry in lock["package"].as_array().expect("packages") {
        let needed = entry.get("dependencies").and_then(toml::Value::as_array);
        // Where there are several of a name, the version stands behind it.
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
fn what_is_common_reaches_nothing_of_a_server() {
    check_reached(
        "siamese-core",
        &["siamese", "tokio", "axum", "hyper", "rustls", "prometheus-client", "tower-http"],
    );
    check_reached("siamese-trainer", &["siamese", "axum", "prometheus-client", "tower-http"]);
}

#[test]
fn schemas_are_the_server_s_alone() {
    let manifest = |path: &str| -> toml::Table {
        fs::read_to_string(root().join(path)).expect("a manifest").parse().expect("TOML")
    };
    let core = manifest("core/Cargo.toml");
    assert_eq!(core["dependencies"]["utoipa"]["optional"].as_bool(), Some(true));
    assert!(!core["features"].as_table().expect("features").contains_key("default"));
    let trainer = manifest("trainer/Cargo.toml")["dependencies"]["siamese-core"].to_string();
    assert!(!trainer.contains("features"), "{trainer}");
}
