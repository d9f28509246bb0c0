//! Brings ONNX Runtime: its official library, out of the official Python wheel, fetched by pip.
//!
//! Version and digests are pinned in `config/onnxruntime.txt` of the repository, and pip refuses a wheel that misses them.
//! The library lies beside the build's other products and its path is handed to the program, which looks
//! there last (see `core/src/model/runtime/library.rs`). Nothing is fetched where `ORT_DYLIB_PATH` is set.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const PINS: &str = "../config/onnxruntime.txt";

/// Copies the library out of a wheel: `EXTRACT WHEEL NEW_FILE`.
const EXTRACT: &str = "
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    names = [n for n in wheel.namelist() if n.startswith('onnxruntime/capi/libonnxruntime.')]
    with wheel.open(names[0]) as source, open(sys.argv[2], 'wb') as target:
        shutil.copyfileobj(source, target)
";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={PINS}");
    println!("cargo::rerun-if-env-changed=ORT_DYLIB_PATH");
    if env::var_os("ORT_DYLIB_PATH").is_some_and(|path| !path.is_empty()) {
        return;
    }
    match bring() {
        Ok(library) => {
            println!("cargo::rerun-if-changed={}", library.display());
            println!("cargo::rustc-env=BUILT_ONNX_RUNTIME={}", library.display());
        }
        Err(why) => println!(
            "cargo::error=ONNX Runtime could not be fetched: {why}; install Python 3 with pip, or \
             set ORT_DYLIB_PATH to a libonnxruntime of at least 1.31"
        ),
    }
}

/// Gives the library's path, fetching it if an earlier build has not.
fn bring() -> Result<PathBuf, String> {
    let variable = |name| env::var(name).map_err(|_| format!("cargo does not set {name}"));
    let (os, arch) = (variable("CARGO_CFG_TARGET_OS")?, variable("CARGO_CFG_TARGET_ARCH")?);
    let (platform, file) = match (os.as_str(), arch.as_str()) {
        ("linux", "x86_64") => ("manylinux_2_28_x86_64", "libonnxruntime.so"),
        ("linux", "aarch64") => ("manylinux_2_28_aarch64", "libonnxruntime.so"),
        ("macos", "aarch64") => ("macosx_14_0_arm64", "libonnxruntime.dylib"),
        _ => return Err(format!("there is no official wheel for {os} on {arch}")),
    };
    let pins = fs::read_to_string(PINS).map_err(|err| format!("{PINS}: {err}"))?;
    let version = pins
        .lines()
        .find_map(|line| line.strip_prefix("onnxruntime=="))
        .map(|rest| rest.trim_end_matches('\\').trim())
        .ok_or_else(|| format!("{PINS} pins no version"))?;

    let folder = products(Path::new(&variable("OUT_DIR")?))
        .join("onnxruntime")
        .join(format!("{version}-{platform}"));
    let library = folder.join(file);
    if library.is_file() {
        return Ok(library);
    }
    fs::create_dir_all(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    // Two builds may come here at once: each works in a folder of its own, and a rename is atomic.
    let scratch = folder.join(format!("fetch-{}", std::process::id()));
    let fetched = fetch(platform, &scratch, &library);
    let _ = fs::remove_dir_all(&scratch);
    fetched.map(|()| library)
}

/// The folder that all profiles' products stand in: `target`, or what stands for it.
fn products(out_dir: &Path) -> &Path {
    out_dir
        .ancestors()
        .find(|it| it.file_name().is_some_and(|name| name == "build"))
        .and_then(|build| build.parent()?.parent())
        .unwrap_or(out_dir)
}

fn fetch(platform: &str, scratch: &Path, library: &Path) -> Result<(), String> {
    fs::create_dir_all(scratch).map_err(|err| format!("{}: {err}", scratch.display()))?;
    // The wheel is the same whatever Python runs here: only a library of C is taken from it.
    let pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    let wheel = ["--only-binary=:all:", "--python-version=3.12", "--implementation=cp"];
    python(
        Command::new("python3")
            .args(pip)
            .args(wheel)
            .args(["--platform", platform, "--require-hashes", "-r", PINS, "-d"])
            .arg(scratch),
    )?;
    let wheel = fs::read_dir(scratch)
        .map_err(|err| err.to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|it| it == "whl"))
        .ok_or("pip brought no wheel")?;
    let fresh = scratch.join("library");
    python(Command::new("python3").args(["-c", EXTRACT]).arg(&wheel).arg(&fresh))?;
    fs::rename(&fresh, library).map_err(|err| format!("{}: {err}", library.display()))
}

fn python(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|err| format!("python3: {err}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word of why");
    Err(format!("pip failed ({last})"))
}
