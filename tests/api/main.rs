//! Tests of the whole service, with the real ONNX Runtime. They use the shipped model, or tiny generated models where a
//! test must predict numbers or failures.

mod app;
mod browsers;
mod bulk;
mod changes;
mod collectors;
mod command_line;
mod compare;
mod connections;
mod decoding;
mod digests;
mod documents;
mod embed;
mod faces;
mod familiarity;
mod groups;
mod health;
mod hostile_clients;
mod hostile_connections;
mod hostile_images;
mod hostile_requests;
mod images;
mod inference;
mod keys;
mod logs;
mod memory;
mod models;
#[path = "../networks/mod.rs"]
mod networks;
mod numbers;
mod observability;
mod odd_faces;
mod openai;
mod outputs;
mod overload;
mod page;
mod patience;
mod probe;
mod process;
mod refusals;
mod server;
mod several;
mod status;
mod swap;
mod teams;
mod tls;
mod traces;
#[path = "../uploads/mod.rs"]
#[allow(dead_code, reason = "other tests have use for the rest")]
mod uploads;
mod verify;
#[path = "../waits/mod.rs"]
mod waits;
