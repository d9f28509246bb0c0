//! The event files of `TensorBoard`.
//!
//! A file is a sequence of records: the length of the data, its checksum, the data, and its checksum (`TFRecord`,
//! `tensorflow/core/lib/io/record_writer.h`). The data is an `Event` (`tensorflow/core/util/event.proto`). Only the fields that
//! scalars need are here.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use prost::{Message, Oneof};
use siamese_core::output::create_folder;

/// The version of the format, as the first event states it.
const VERSION: &str = "brain.Event:2";
/// The status of a session that starts: `TensorBoard` forgets the events of this step and later ones.
const START: i32 = 1;

/// `Event`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// In seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// `Summary`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

/// `Summary.Value`.
#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// `SessionLog`.
#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The event file of a run, if there is one.
#[derive(Debug)]
pub struct Events(Option<File>);

impl Events {
    /// Creates a file in a folder, which is created if it does not exist. Without a folder there is no file. The run has
    /// completed `step` steps: events of later steps in older files of the folder become invalid, because these steps run
    /// again.
    ///
    /// # Errors
    ///
    /// If the folder or the file cannot be written.
    pub fn create(folder: Option<&Path>, step: u32) -> anyhow::Result<Self> {
        let Some(folder) = folder else { return Ok(Self(None)) };
        create_folder(folder)?;
        let seconds = now();
        let process = std::process::id();
        // TensorBoard finds a file by `tfevents`, and reads the files of a folder in the order of their names.
        let path = folder.join(format!("events.out.tfevents.{seconds:017.6}.siamese.{process}"));
        let unwritten = || format!("{} cannot be written", path.display());
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let mut events = Self(Some(file.with_context(unwritten)?));
        events.put(0, What::FileVersion(VERSION.to_owned())).with_context(unwritten)?;
        if 0 < step {
            let start = What::SessionLog(SessionLog { status: START });
            events.put(i64::from(step) + 1, start).with_context(unwritten)?;
        }
        Ok(events)
    }

    /// Adds the scalars of a step, by name; `None` is left out.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn add(&mut self, step: u32, scalars: &[(&str, Option<f64>)]) -> anyhow::Result<()> {
        let scalar = |(tag, value): &(&str, Option<f64>)| {
            #[expect(clippy::cast_possible_truncation, reason = "the format is single precision")]
            let simple_value = Some((*value)? as f32);
            Some(Scalar { tag: (*tag).to_owned(), simple_value })
        };
        let value = scalars.iter().filter_map(scalar).collect();
        self.put(step.into(), What::Summary(Summary { value }))
            .context("the event file of TensorBoard cannot be written")
    }

    /// Writes an event at once, so that `TensorBoard` shows a run while it runs.
    fn put(&mut self, step: i64, what: What) -> io::Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let event = Event { wall_time: now(), step, what: Some(what) };
        file.write_all(&record(&event.encode_to_vec()))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Frames data as a record.
fn record(data: &[u8]) -> Vec<u8> {
    let length = u64::try_from(data.len()).unwrap_or(u64::MAX).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    for part in [&length, data] {
        record.extend(part);
        record.extend(checksum(part).to_le_bytes());
    }
    record
}

/// Returns the masked checksum of a record: CRC-32C, turned by 15 bits, plus a constant.
fn checksum(data: &[u8]) -> u32 {
    const MASK: u32 = 0xa282_ead8;
    crc32c(data).rotate_right(15).wrapping_add(MASK)
}

/// Returns the CRC-32C (RFC 3720, appendix B.4), bit by bit: a record is small.
fn crc32c(data: &[u8]) -> u32 {
    const REVERSED_POLYNOMIAL: u32 = 0x82f6_3b78;
    let byte = |rest: u32, byte: &u8| {
        (0..8).fold(rest ^ u32::from(*byte), |rest, _| {
            rest >> 1 ^ if rest & 1 == 1 { REVERSED_POLYNOMIAL } else { 0 }
        })
    };
    !data.iter().fold(!0, byte)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // RFC 3720, appendix B.4, and the usual check value.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    /// Reads the records of a file back, and checks their checksums.
    fn events(file: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = file;
        while !rest.is_empty() {
            let (length, after) = rest.split_at(8);
            let (check, after) = after.split_at(4);
            assert_eq!(check, checksum(length).to_le_bytes());
            let length = u64::from_le_bytes(length.try_into().expect("8 bytes"));
            let (data, after) = after.split_at(usize::try_from(length).expect("a length"));
            let (check, after) = after.split_at(4);
            assert_eq!(check, checksum(data).to_le_bytes());
            events.push(Event::decode(data).expect("an event"));
            rest = after;
        }
        events
    }

    #[test]
    fn a_file_is_read_back_as_it_was_written() {
        let ground = TempDir::new().expect("a folder");
        let folder = ground.path().join("board");
        let mut first = Events::create(Some(&folder), 0).expect("a file");
        first
            .add(1, &[("loss", Some(0.5)), ("eer", None), ("rate", Some(1e-3))])
            .expect("an event");
        first.add(2, &[("loss", Some(0.25)), ("eer", Some(0.125))]).expect("an event");
        let mut second = Events::create(Some(&folder), 1).expect("another file");
        second.add(2, &[("loss", Some(0.75))]).expect("an event");

        let mut paths: Vec<_> = fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("a file").path())
            .collect();
        paths.sort();
        let [first, second] = paths
            .iter()
            .map(|path| events(&fs::read(path).expect("a file")))
            .collect::<Vec<_>>()
            .try_into()
            .expect("two files");
        let summary = |step: i64, scalars: &[(&str, f32)]| {
            let scalar = |(tag, value): &(&str, f32)| Scalar {
                tag: (*tag).to_owned(),
                simple_value: Some(*value),
            };
            (step, Some(What::Summary(Summary { value: scalars.iter().map(scalar).collect() })))
        };
        let found = |events: Vec<Event>| -> Vec<(i64, Option<What>)> {
            events.into_iter().map(|event| (event.step, event.what)).collect()
        };
        let version = (0, Some(What::FileVersion(VERSION.to_owned())));
        let start = (2, Some(What::SessionLog(SessionLog { status: START })));
        assert_eq!(
            found(first),
            [
                version.clone(),
                summary(1, &[("loss", 0.5), ("rate", 1e-3)]),
                summary(2, &[("loss", 0.25), ("eer", 0.125)])
            ]
        );
        assert_eq!(found(second), [version, start, summary(2, &[("loss", 0.75)])]);
    }
}
