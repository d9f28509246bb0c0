//! The memory limit of the service, for any input.
#![cfg(target_os = "linux")]

use std::fs;
use std::thread;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use crate::app::{SAME, face, form, root};
use crate::server::Server;

/// The limit that the README states for two decodes at once, in MiB.
const CEILING: u64 = 1024;

/// A colour image with almost the most pixels, which must be decoded completely.
fn largest() -> Vec<u8> {
    let [width, height] = [7070_u32, 7070];
    let rgb = vec![0; (width * height * 3) as usize];
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::NoFilter)
        .write_image(&rgb, width, height, ExtendedColorType::Rgb8)
        .expect("a PNG");
    png
}

/// The sum of the peaks of the server and its workers, in MiB: an upper bound of their common peak.
fn peak(server: &Server) -> u64 {
    let id = server.id();
    let workers = fs::read_dir(format!("/proc/{id}/task")).expect("threads").flat_map(|thread| {
        let children = thread.expect("a thread").path().join("children");
        let children = fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().map(|id| id.parse().expect("a number")).collect::<Vec<u32>>()
    });
    let of = |id: u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().expect("a number"))
    };
    (of(id) + workers.map(of).sum::<u64>()) / 1024
}

#[test]
fn the_largest_images_and_bodies_stay_below_the_memory_ceiling() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    assert!(readme.contains(&format!("below {} GiB", CEILING / 1024)));

    let server = Server::with(&[
        ("SIAMESE_IMAGE__DECODES", "2"),
        ("SIAMESE_SERVER__DEADLINE_MS", "600000"),
        ("SIAMESE_SERVER__BODY_TIMEOUT_MS", "600000"),
    ]);
    let largest = largest();
    let body = vec![0; 19_000_000];
    let [a, b] = SAME.map(face);
    let (media, pair) = form(&[("a", &a), ("b", &b)]);
    thread::scope(|scope| {
        for at in 0..6 {
            let (server, largest, body) = (&server, &largest, &body);
            scope.spawn(move || {
                // Unique bytes: an identical image would be decoded only once.
                let upload = [&largest[..], &[at]].concat();
                let response = server.post("/embed", "image/png", &upload, "");
                // It shows no face, which costs the most: the model searches all of it.
                assert!(response.starts_with("HTTP/1.1 422"), "{response}");
            });
            scope.spawn(move || {
                for _ in 0..5 {
                    let response = server.post("/embed", "image/png", body, "");
                    assert!(["415", "503"].contains(&&response[9..12]), "{response}");
                }
            });
        }
        for _ in 0..50 {
            let response = server.post("/compare", &media, &pair, "");
            assert!(["200", "503"].contains(&&response[9..12]), "{response}");
        }
    });
    let peak = peak(&server);
    // A lower peak would mean that the work was not done.
    assert!((200..CEILING).contains(&peak), "{peak} MiB");
}
