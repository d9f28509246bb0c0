//! The `.npy` file that `siamese embed` writes, with the paths of its rows.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use siamese_core::file::shown;
use siamese_core::output::Destination;

use crate::ops::npy;

/// A `.npy` file, and a `.txt` file beside it: first the model's digest, then the path of each row's image.
pub(super) struct Rows {
    numbers: Numbers,
    names: BufWriter<File>,
    count: usize,
    width: usize,
}

/// The numbers of the rows. Their header contains the number of rows, which is known at the end.
enum Numbers {
    /// A regular file, whose header is written again.
    File(BufWriter<File>),
    /// A device or a pipe. The rows are in memory until the end.
    Stream(File, Vec<u8>),
}

impl Rows {
    pub(super) fn new(
        numbers: &Destination,
        names: &Destination,
        width: usize,
        digest: &str,
    ) -> io::Result<Self> {
        let numbers = match numbers {
            Destination::File(_) => {
                let mut file = BufWriter::new(numbers.open()?);
                file.write_all(&npy::header(&[0, width]))?;
                Numbers::File(file)
            }
            Destination::Stream(_) => Numbers::Stream(numbers.open()?, Vec::new()),
        };
        let mut names = BufWriter::new(names.open()?);
        writeln!(names, "# {digest}")?;
        Ok(Self { numbers, names, count: 0, width })
    }

    /// Opens a `.npy` file to append to it. Rows that lack their numbers or their path are cut off.
    pub(super) fn resumed(
        out: &Path,
        width: usize,
        digest: &str,
    ) -> io::Result<(Self, HashSet<PathBuf>)> {
        let header_length = npy::header(&[0, width]).len();
        let mut numbers = OpenOptions::new().read(true).write(true).open(out)?;
        let mut header = vec![0; header_length];
        numbers.read_exact(&mut header).map_err(|_| foreign())?;
        if !header.starts_with(&npy::header(&[0, width])[..10]) {
            return Err(foreign());
        }
        let row_length = 4 * width as u64;
        let n_rows = (numbers.metadata()?.len() - header_length as u64) / row_length;

        let names = OpenOptions::new().read(true).write(true).open(names(out))?;
        let mut reader = BufReader::new(&names);
        let (mut held, mut whole, mut line) = (HashSet::new(), 0, String::new());
        let mut count = 0;
        let mut is_first = true;
        while (is_first || count < n_rows)
            && 0 < reader.read_line(&mut line)?
            && line.ends_with('\n')
        {
            let text = line.trim_end_matches('\n');
            if is_first {
                check(text.strip_prefix("# ").unwrap_or_default(), digest)?;
                is_first = false;
            } else {
                held.insert(PathBuf::from(text));
                count += 1;
            }
            whole += line.len() as u64;
            line.clear();
        }
        if is_first {
            return Err(foreign());
        }
        let (mut names, mut numbers) = (names, numbers);
        names.set_len(whole)?;
        names.seek(SeekFrom::End(0))?;
        numbers.set_len(header_length as u64 + count * row_length)?;
        numbers.seek(SeekFrom::End(0))?;
        let count = usize::try_from(count).map_err(|_| foreign())?;
        let (numbers, names) = (Numbers::File(BufWriter::new(numbers)), BufWriter::new(names));
        Ok((Self { numbers, names, count, width }, held))
    }

    pub(super) fn put(&mut self, path: &Path, embedding: &[f32]) -> io::Result<()> {
        let numbers: &mut dyn Write = match &mut self.numbers {
            Numbers::File(file) => file,
            Numbers::Stream(_, rows) => rows,
        };
        for number in embedding {
            numbers.write_all(&number.to_le_bytes())?;
        }
        writeln!(self.names, "{}", shown(path))?;
        self.count += 1;
        Ok(())
    }

    /// Writes the number of rows into the header. The header is padded: its length does not depend on that number.
    pub(super) fn finish(self) -> io::Result<()> {
        let header = npy::header(&[self.count, self.width]);
        self.names.into_inner().map_err(io::IntoInnerError::into_error)?;
        match self.numbers {
            Numbers::File(file) => {
                let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&header)
            }
            Numbers::Stream(mut stream, rows) => {
                stream.write_all(&header)?;
                stream.write_all(&rows)
            }
        }
    }
}

/// The file with the paths of a `.npy` file's rows.
pub(super) fn names(out: &Path) -> PathBuf {
    out.with_extension("txt")
}

/// Checks that a file holds embeddings of this model.
pub(super) fn check(found: &str, digest: &str) -> io::Result<()> {
    if found == digest {
        return Ok(());
    }
    let why = "the file holds another model's embeddings: choose another file, or overwrite it without --resume";
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

/// The error for a file that another program wrote.
pub(super) fn foreign() -> io::Error {
    let why = "`siamese embed` did not write this file: choose another file, or overwrite it without --resume";
    io::Error::new(io::ErrorKind::InvalidData, why)
}
