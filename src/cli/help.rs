//! The examples and exit codes at the end of each command's `--help`. The manual pages repeat them.

/// For `siamese` itself.
pub(super) const SIAMESE: &str = "\
Examples:
  siamese serve
  siamese compare a.jpg b.jpg

Exit status:
  0  The command is done, or the result is positive.
  1  The result is negative.
  2  The command line, the settings or a file is wrong.
  3  The machine has a problem, such as a missing library or a port in use.";

/// For `siamese serve`.
pub(super) const SERVE: &str = "\
Examples:
  siamese serve
      Serve the model that comes with the program, on the address in the settings.
  siamese serve --model products.onnx --listen 0.0.0.0:8080
      Serve another model, on all network interfaces.
  siamese serve --config siamese.toml
      Read the settings from a file.

Exit status:
  0  The server was stopped by a signal.
  2  The command line, the settings or a file is wrong.
  3  The machine has a problem, such as a missing library or a port in use.";

/// For `siamese compare`.
pub(super) const COMPARE: &str = "\
Examples:
  siamese compare a.jpg b.jpg
      Print the verdict on two images.
  siamese compare a.jpg photos/ --json
      Compare one image with all images of a folder.
  siamese compare a.jpg b.jpg --fmr 0.01
      Accept a false match rate of at most 1 %.

Exit status:
  0  The verdict is same, for at least one image.
  1  The verdict is different, for all images.
  2  The command line, the settings or a file is wrong; no image, or not every image, was compared.
  3  The machine has a problem, such as a missing library or a full standard output.";

/// For `siamese changes`.
pub(super) const CHANGES: &str = "\
Examples:
  siamese changes before.png after.png --out changes.png
      List what has changed, and draw it.
  siamese changes expected/ actual/ --out changes.html
      Compare the files of two folders by name, and write a page with the differences.
  siamese changes before.jpg after.jpg --ignore 0,0,200,40 --align shift
      Leave out a rectangle, and correct a shift of the camera.

Exit status:
  0  Nothing has changed.
  1  Something has changed.
  2  The command line, the settings or a file is wrong; the images could not be compared.
  3  The machine has a problem, such as a missing library or a full standard output.";

/// For `siamese embed`.
pub(super) const EMBED: &str = "\
Examples:
  siamese embed a.jpg
      Print the embedding of one image as JSON.
  siamese embed photos/ --out photos.npy
      Write one row per image to photos.npy, and the paths to photos.txt.
  siamese embed photos/ --out photos.jsonl --resume
      Continue after an interruption.

Files:
  NAME.npy
      A matrix for numpy.load: float32, little-endian, one row for each image.
  NAME.txt
      The companion of NAME.npy. The first line is \"# \" and the digest of the model. Each further line is the path of the
      image of one row, in the order of the rows.
  NAME.jsonl
      One JSON object on each line: path, embedding, digest; face and familiarity if the model knows them.

Exit status:
  0  Every image was embedded.
  2  The command line, the settings or a file is wrong; the other images were embedded.
  3  The machine has a problem, such as a missing library or a full disk.";

/// For `siamese group`.
pub(super) const GROUP: &str = "\
Examples:
  siamese group photos/
      Print the groups of images that show the same thing, at the threshold of the model.
  siamese group photos/ --fmr 0.001 --report groups/
      Accept a false match rate of at most 0.1 % for each pair, and write groups/index.html with the images.
  siamese group photos.npy --threshold 0.3 --json
      Group the embeddings that siamese embed has written.

Exit status:
  0  All images are grouped, or alone.
  2  The command line, the settings or a file is wrong; no image, or not every image, was grouped.
  3  The machine has a problem, such as a missing library or a full standard output.";

/// For `siamese inspect`.
pub(super) const INSPECT: &str = "\
Examples:
  siamese inspect faces.onnx
  siamese inspect faces.onnx --device require-gpu --json

Exit status:
  0  The model can be loaded, and its golden pairs pass.
  2  The file is not a usable model, or a golden pair fails.
  3  The machine has a problem, such as a missing library.";

/// For `siamese health`.
pub(super) const HEALTH: &str = "\
Examples:
  siamese health
      Check the server on the address in the settings.
  siamese health --listen localhost:8080
      Check the server on another address.

Exit status:
  0  The server is ready to receive requests.
  1  The server is not ready, or does not answer.
  2  The command line or the settings are wrong.
  3  The machine has a problem.";

/// For `siamese completions`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  siamese completions bash > /etc/bash_completion.d/siamese

Exit status:
  0  The script was printed.
  2  The command line is wrong.
  3  Standard output is full.";

/// For `siamese manual`.
pub(super) const MANUAL: &str = "\
Examples:
  siamese manual /usr/local/share/man/man1

Exit status:
  0  The pages were written.
  2  The command line is wrong, or the folder cannot be created.
  3  The disk is full.";

/// The environment variables of all commands, for the manual pages.
pub(super) const ENVIRONMENT: &str = "\
Environment:
  SIAMESE_SECTION__KEY
      Overrides the setting KEY of the section SECTION, for example SIAMESE_SERVER__LISTEN. It has priority over the
      settings file; options have priority over it.
  ORT_DYLIB_PATH
      The ONNX Runtime library to load, instead of the one that comes with the program.
  RUST_LOG
      The log lines to write, for example debug or siamese=debug.
  OTEL_EXPORTER_OTLP_ENDPOINT
      The collector that receives traces of requests. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES describe this
      server.";
