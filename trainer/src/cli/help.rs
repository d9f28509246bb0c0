//! The examples and exit codes at the end of each command's `--help`. The manual pages repeat them.

/// For `siamese-trainer` itself.
pub(super) const TRAINER: &str = "\
Examples:
  siamese-trainer train --data DIR --hold-out-fold 0/4 --out raw.onnx
  siamese-trainer calibrate --model raw.onnx --data DIR --hold-out-fold 0/4 --out mine.onnx
  siamese-trainer evaluate --model mine.onnx --data OTHER --report report";

/// For `siamese-trainer train`.
pub(super) const TRAIN: &str = "\
Examples:
  siamese-trainer train --data DIR --hold-out-fold 0/4 --out raw.onnx
      Train on three quarters of the identities of DIR, and hold the others out.
  siamese-trainer train --backbone lite0 --data DIR --hold-out-fold 0/4 --out raw.onnx
      Train a head on the features of a pretrained network.
  siamese-trainer train --data changes.csv --out raw.onnx
      Train on a list of images with labels, or of pairs.
  siamese-trainer train --data DIR --identities each-image --hold-out-fold 0/4 --out raw.onnx
      Train on a folder without labels, to find copies of images.
  siamese-trainer train --data DIR --print-config > config.toml
      Write the configuration into a file for --config.
  siamese-trainer train --data DIR --hold-out-fold 0/4 --out raw.onnx --resume
      Continue a run that was interrupted.";

/// For `siamese-trainer evaluate`.
pub(super) const EVALUATE: &str = "\
Examples:
  siamese-trainer evaluate --model mine.onnx --data DIR
      Print the error rates on all identities of DIR.
  siamese-trainer evaluate --model mine.onnx --data DIR --fold 0/4 --report report
      Write a page with curves for a quarter of the identities.
  siamese-trainer evaluate --model changes.onnx --data boards.csv --shift 5 --report report
      Measure how well changes are found in pairs of images that are 5 pixels apart.";

/// For `siamese-trainer report`.
pub(super) const REPORT: &str = "\
Examples:
  siamese-trainer report --data DIR a.onnx b.onnx
      Print which model is better, and whether the difference is significant.
  siamese-trainer report --data DIR --report report a.onnx b.onnx
      Write a page too.";

/// For `siamese-trainer calibrate`.
pub(super) const CALIBRATE: &str = "\
Examples:
  siamese-trainer calibrate --model raw.onnx --data DIR --hold-out-fold 0/4 --out mine.onnx
      Choose the threshold where both errors are equal.
  siamese-trainer calibrate --model raw.onnx --data DIR --fmr 0.01 --out mine.onnx
      Choose the threshold for a false match rate of at most 1 %.
  siamese-trainer calibrate --model raw.onnx --data boards.csv --fnmr-images 0.02 --out changes.onnx
      Choose the threshold for changes, with a false alarm in at most 2 % of unchanged images.";

/// For `siamese-trainer export`.
pub(super) const EXPORT: &str = "\
Examples:
  siamese-trainer export --model mine.onnx --data DIR --weights int8 --out smaller.onnx
      Store large linear layers in 8 bits.";

/// For `siamese-trainer adopt`.
pub(super) const ADOPT: &str = "\
Examples:
  siamese-trainer adopt --model any.onnx --input 112x112 --colour rgb --data DIR --out mine.onnx
      Make a calibrated model of any ONNX file.";

/// For `siamese-trainer manual`.
pub(super) const MANUAL: &str = "\
Examples:
  siamese-trainer manual /usr/local/share/man/man1";

/// Adds the exit codes, which are the same for all commands.
pub(super) fn with_exit_codes(examples: &str) -> String {
    const EXIT_STATUS: &str = "\
Exit status:
  0  The command is done.
  2  The command line, the data or a file is wrong.
  3  The machine has a problem, such as a missing library or a missing GPU.";
    format!("{examples}\n\n{EXIT_STATUS}")
}

/// The environment variables of all commands, for the manual pages.
pub(super) const ENVIRONMENT: &str = "\
Environment:
  ORT_DYLIB_PATH
      The ONNX Runtime library to load, instead of the one that comes with the program.
  SOURCE_COMMIT
      The commit that the provenance of a model names, instead of that of the build.
  SOURCE_DATE_EPOCH
      The time that the provenance of a model names, in seconds since 1970, instead of the time of the run.";
