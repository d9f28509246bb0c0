//! Installs ONNX Runtime: the official library from the official Python wheel. pip downloads the wheel.
//!
//! `config/onnxruntime.txt` pins the version and the digests. pip refuses a wheel with another digest. The library is
//! stored with the build's other products. The build passes its path to the program, which uses it as the last choice
//! (see `core/src/model/runtime/library.rs`). If `ORT_DYLIB_PATH` is set, nothing is downloaded.

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
    match install() {
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

/// Returns the library's path. Downloads the library if no earlier build did.
fn install() -> Result<PathBuf, String> {
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
    // Two builds may run at once: each works in its own folder, and the rename is atomic.
    let scratch = folder.join(format!("fetch-{}", std::process::id()));
    let fetched = fetch(platform, &scratch, &library);
    let _ = fs::remove_dir_all(&scratch);
    fetched.map(|()| library)
}

/// The folder that holds the products of all profiles: usually `target`.
fn products(out_dir: &Path) -> &Path {
    out_dir
        .ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "build"))
        .and_then(|build| build.parent()?.parent())
        .unwrap_or(out_dir)
}

fn fetch(platform: &str, scratch: &Path, library: &Path) -> Result<(), String> {
    fs::create_dir_all(scratch).map_err(|err| format!("{}: {err}", scratch.display()))?;
    // The Python version does not matter: only a C library is taken from the wheel.
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
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or("pip downloaded no wheel")?;
    let fresh = scratch.join("library");
    python(Command::new("python3").args(["-c", EXTRACT]).arg(&wheel).arg(&fresh))?;
    fs::rename(&fresh, library).map_err(|err| format!("{}: {err}", library.display()))
}

fn python(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|err| format!("python3: {err}"))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let last = message.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(format!("pip failed ({last})"))
}
