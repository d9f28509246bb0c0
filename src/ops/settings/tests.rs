//! Tests of the settings.

use std::io::Write;
use std::time::Duration;

use axum::http::HeaderValue;
use siamese_core::preprocessing::Limits;
use siamese_core::score::Threshold;

use super::*;

fn settings(
    file: &str,
    variables: &[(&str, &str)],
    overrides: &Overrides,
) -> Result<Settings, String> {
    let mut written = tempfile::NamedTempFile::new().expect("a file");
    written.write_all(file.as_bytes()).expect("written");
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    variables::settings(variables)
        .and_then(|variables| Settings::assemble(Some(written.path()), &variables, overrides))
        .map_err(|err| siamese_core::causes(&err))
}

#[test]
fn later_sources_take_precedence() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\ndeadline_ms = 5\n[model]\nthreshold = 0.5";
    let variables = [("SIAMESE_SERVER__LISTEN", "127.0.0.1:2"), ("SIAMESE_MODEL__QUEUE", "9")];
    let overrides = Overrides { listen: "127.0.0.1:3".parse().ok(), ..Overrides::default() };

    let settings = settings(file, &variables, &overrides).expect("settings");

    assert_eq!(settings.server.listen.port(), 3);
    assert_eq!(settings.server.deadline_ms.get(), 5);
    assert_eq!(settings.model.queue.get(), 9);
    assert_eq!(settings.model.threshold.map(Threshold::get), Some(0.5));
    assert_eq!(settings.server.max_in_flight.get(), 1024);
}

#[test]
fn the_first_model_has_the_threshold_of_the_settings_unless_it_states_its_own() {
    let file = "[model]\nthreshold = 0.5\n[[models]]\nname = \"a\"\nfile = \"a.onnx\"\n\
         [[models]]\nname = \"b\"\nfile = \"b.onnx\"\nthreshold = 0.7";
    let thresholds = |settings: &Settings| {
        let models = settings.served().expect("models");
        models.iter().map(|model| model.threshold.map(Threshold::get)).collect::<Vec<_>>()
    };
    let two = settings(file, &[], &Overrides::default()).expect("settings");
    assert_eq!(thresholds(&two), [Some(0.5), Some(0.7)]);

    let models = ["b=b.onnx", "c.onnx"].map(|model| model.parse().expect("a model"));
    let overrides = Overrides { models: models.to_vec(), ..Overrides::default() };
    let other = settings(file, &[], &overrides).expect("settings");
    assert_eq!(thresholds(&other), [Some(0.5), None]);

    let models = ["a/x.onnx", "b/x.onnx"].map(|model| model.parse().expect("a model"));
    let overrides = Overrides { models: models.to_vec(), ..Overrides::default() };
    let same = settings(file, &[], &overrides).expect("settings").served();
    let same = same.expect_err("one name").to_string();
    assert!(same.starts_with("two models have the name x"), "{same}");
}

#[test]
fn origins_in_the_environment_are_separated_by_commas() {
    let variables = [("SIAMESE_CORS__ORIGINS", "https://one.example,http://localhost:3000")];
    let settings = settings("", &variables, &Overrides::default()).expect("settings");
    let origins = settings.cors.origins.iter().map(|origin| origin.value().clone());
    let origins: Vec<HeaderValue> = origins.collect();
    assert_eq!(origins, ["https://one.example", "http://localhost:3000"]);
}

#[test]
fn the_idle_timeout_exceeds_that_of_proxies() {
    let settings = settings("", &[], &Overrides::default()).expect("settings");
    assert!(Duration::from_mins(1) < settings.server.idle_timeout());
}

#[test]
fn the_default_limits_are_those_of_the_core() {
    let settings = settings("", &[], &Overrides::default()).expect("settings");
    assert_eq!(settings.image.limits(), Limits::default());
}

#[test]
fn fewer_large_images_are_decoded_at_once() {
    let file = "[image]\ndecodes = 4\nmax_pixels_in_flight = 100";
    let settings = settings(file, &[], &Overrides::default()).expect("settings");
    for (pixels, decodes) in [(0, 4), (10, 4), (40, 2), (100, 1), (1000, 1)] {
        assert_eq!(settings.image.decodes(pixels).get(), decodes, "{pixels}");
    }
}

#[track_caller]
fn refused(file: &str, variables: &[(&str, &str)], with: &str) {
    let message = settings(file, variables, &Overrides::default()).expect_err("no settings");
    assert!(message.contains(with), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn invalid_settings_are_refused_by_name() {
    refused("[server]\nlissten = 1", &[], "lissten");
    refused("[sever]", &[], "sever");
    refused("[server]\nlisten = \"nowhere\"", &[], "listen");
    refused("[server]\nadmin_listen = \"9090\"", &[], "such as 127.0.0.1:8080");
    refused("", &[("SIAMESE_SERVER__LISTEN", "8080")], "\"8080\" is not ADDR:PORT");
    refused("[server]\nidle_timeout_ms = 0", &[], "idle_timeout_ms");
    refused("[server]\noverload_status = 200", &[], "overload_status");
    refused("[auth]\nkeys = []", &[], "auth.keys");
    refused("[auth]\nkeys = [\"short\"]", &[], "key 1: a key must have at least 16 characters");
    let name = "key 1: a name before `:` must have";
    refused("", &[("SIAMESE_AUTH__KEYS", "Team:0123456789012345")], name);
    refused("", &[("SIAMESE_AUTH__KEYS", "")], "auth.keys");
    refused("", &[("SIAMESE_AUTH__KEYS", "0123456789012345")], "a key must be a text");
    refused("[cors]\norigins = [\"ours.example\"]", &[], "an origin must be https://host");
    refused("", &[("SIAMESE_CORS__ORIGINS", "https://x/y")], "an origin must be https://host");
    refused("[tls]\nkey = \"key.pem\"", &[], "tls.certificate");
    refused("[model]\nqueue = 0", &[], "queue");
    let model = "[[models]]\nname = \"a\"\nfile = \"a.onnx\"\n";
    refused(&format!("{model}[model]\nfile = \"b.onnx\""), &[], "exclude each other");
    refused("[[models]]\nname = \"a/b\"\nfile = \"a.onnx\"", &[], "cannot name a model");
    refused("[[models]]\nname = \"a\"", &[], "file");
    refused(&format!("{model}treshold = 1.0"), &[], "treshold");
    refused("[model]\nsessions = 1025", &[], "model.sessions must be at most 1024");
    refused("[server]\nmax_in_flight = 9223372036854775807", &[], "server.max_in_flight");
    refused("[model]\nthreshold = -1.0", &[], "threshold");
    let device = "a device is `cpu`, `prefer-gpu` or `require-gpu` for key `model.device`";
    refused("[model]\ndevice = \"tpu\"", &[], device);
    let search = "is `heuristic`, `exhaustive` or `default` for key `cuda.convolution_search`";
    refused("[cuda]\nconvolution_search = \"thorough\"", &[], search);
    let format = "a log format is `text` or `json` for key `log.format`";
    refused("", &[("SIAMESE_LOG__FORMAT", "xml")], format);
    let requests = "requests are `failures` or `all` for key `log.requests`";
    refused("[log]\nrequests = \"none\"", &[], requests);
    let faces = "is `largest` or `only` for key `image.faces`";
    refused("[image]\nfaces = \"all\"", &[], faces);
    let decode = "a decode is `exact` or `fast` for key `image.decode`";
    refused("[image]\ndecode = \"slow\"", &[], decode);
    refused("[cuda]\ndevice_id = -1", &[], "device_id");
    refused(
        "",
        &[("SIAMESE_SERVER__DEADLINE_MS", "soon")],
        "SIAMESE_SERVER__DEADLINE_MS is invalid",
    );
    refused("", &[("SIAMESE_SERVER__LISSTEN", "1")], "SIAMESE_SERVER__LISSTEN is invalid: ");
    refused("", &[("SIAMESE_DEADLINE", "1")], "SIAMESE_DEADLINE is not a setting");
    let variables = [("SIAMESE_SERVER__LISTEN", ":1"), ("SIAMESE_SEVER__LISTEN", ":1")];
    refused("", &variables, "SIAMESE_SEVER__LISTEN is invalid: unknown field");
    refused("[server]\nlissten = 1", &variables[..1], "the settings are invalid: ");
    refused("[traces]\nendpoint = \"grpc://collector\"", &[], "endpoint");
    refused("[traces]\ncollector = 1", &[], "collector");
    refused("[traces]\nratio = 1.1", &[], "ratio");
}

#[test]
fn a_limit_of_zero_is_refused_by_name() {
    const SERVER: [&str; 14] = [
        "max_connections",
        "idle_timeout_ms",
        "head_timeout_ms",
        "response_timeout_ms",
        "max_unsent_bytes",
        "max_receiving",
        "http2_max_streams",
        "http2_ping_timeout_ms",
        "max_body_bytes",
        "max_bodies_bytes",
        "body_timeout_ms",
        "deadline_ms",
        "max_in_flight",
        "max_pairs",
    ];
    for key in SERVER {
        refused(&format!("[server]\n{key} = 0"), &[], key);
    }
    for key in ["self_test_interval_ms", "self_test_max_age_ms"] {
        refused(&format!("[health]\n{key} = 0"), &[], key);
    }
    refused("[tls]\nhandshake_timeout_ms = 0", &[], "handshake_timeout_ms");
}

#[test]
fn zero_disables_optional_features() {
    let file = "[server]\nhttp2_ping_interval_ms = 0\nlame_duck_ms = 0\ndrain_ms = 0\n\
         [model]\nwatch_ms = 0\n[cache]\nmax_bytes = 0";
    let settings = settings(file, &[], &Overrides::default()).expect("settings");
    assert_eq!(settings.server.http2_ping_interval(), None);
    assert_eq!(settings.model.watch(), None);
}
