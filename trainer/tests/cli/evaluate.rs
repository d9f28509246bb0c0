use std::fs;

use serde_json::{Value, json};

use crate::ground::Ground;

/// Same pairs at 1 and 4; different ones at 2, 3, 6 and 7.
fn known() -> Ground {
    Ground::of(&[("bright", &[103, 107]), ("dark", &[100, 101])])
}

pub(crate) fn report(ground: &Ground) -> Value {
    let text = fs::read_to_string(ground.at("report/report.json")).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn figures_are_those_worked_out_by_hand() {
    let said = known().run("evaluate", &["--resamples", "20"]).well();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(
        lines[0],
        "brightness on data: 2 identities, 4 images, 2 same and 4 different pairs"
    );
    // Two identities are only ever resampled as themselves.
    assert_eq!(lines[3], "EER                  50.00 %    50.00 – 50.00 %");
    assert_eq!(lines[4], "AUC                   0.7500    0.7500 – 0.7500");
    assert_eq!(lines[5], "FNMR at FMR 10 %     50.00 %    50.00 – 50.00 % *");
    assert!(
        said.contains("At the threshold 10.0000 (half the margin): FMR 100.00 %, FNMR 0.00 %"),
        "{said}"
    );
    assert!(said.contains("* 4 different pairs can't tell an FMR below 75.00 %"), "{said}");
}

#[test]
fn a_report_holds_page_figures_and_drawings() {
    let ground = known();
    ground.run("evaluate", &["--resamples", "20", "--report", "report"]).well();
    let figures = report(&ground);
    assert_eq!(figures["eer"]["value"], 0.5);
    assert_eq!(figures["auc"]["value"], 0.75);
    assert_eq!(figures["threshold"]["source"], "half-margin");
    assert_eq!(figures["different_pairs"], 4);
    let closest = &figures["closest_different_pairs"][0];
    assert_eq!((&closest["a"], &closest["b"]), (&"bright/0.png".into(), &"dark/1.png".into()));
    assert_eq!(closest["distance"], 2.0);
    assert_eq!(figures["map"]["images"].as_array().map(Vec::len), Some(4));
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    for drawing in ["distances.svg", "roc.svg", "det.svg", "errors.svg"] {
        let text = fs::read_to_string(ground.at("report").join(drawing)).expect("a drawing");
        let drawn = roxmltree::Document::parse(&text).expect("well-formed XML");
        assert_eq!(drawn.root_element().tag_name().name(), "svg", "{drawing}");
    }
    assert!(5 <= page.matches("<svg").count(), "drawings are missing");
    let outside = page.split("src=\"").skip(1).find(|it| !it.starts_with("data:"));
    assert_eq!(outside, None, "the page needs something beside it");
    assert!(!page.contains("http"), "the page looks elsewhere");
}

#[test]
fn the_worst_pairs_are_shown_as_images() {
    let ground = known();
    ground.run("evaluate", &["--report", "report"]).well();
    let text = fs::read_to_string(ground.at("report/errors.svg")).expect("a drawing");
    let drawn = roxmltree::Document::parse(&text).expect("well-formed XML");
    let images = drawn.descendants().filter(|it| it.tag_name().name() == "image");
    // Two same pairs and four different ones, of two images each.
    assert_eq!(images.count(), 12);
}

#[test]
fn names_that_are_markup_stay_text() {
    let ground = Ground::of(&[("<script>a&b", &[1, 2]), ("\"c\"", &[5, 6])]);
    ground.run("evaluate", &["--report", "report"]).well();
    let text = fs::read_to_string(ground.at("report/errors.svg")).expect("a drawing");
    assert!(roxmltree::Document::parse(&text).is_ok(), "{text}");
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;a&amp;b"), "{page}");
}

#[test]
fn a_seed_repeats_a_report_to_the_byte() {
    let ground = Ground::of(&[("a", &[1, 9, 30]), ("b", &[5, 28]), ("c", &[40, 50]), ("d", &[44])]);
    fs::copy(ground.at("data/d/0.png"), ground.at("data/d/1.png")).expect("a copy");
    let mut texts = Vec::new();
    for seed in ["3", "3", "4"] {
        ground.run("evaluate", &["--seed", seed, "--report", "report"]).well();
        texts.push(fs::read_to_string(ground.at("report/report.json")).expect("a report"));
    }
    assert_eq!(texts[0], texts[1]);
    assert_ne!(texts[0], texts[2]);
}

#[test]
fn identities_can_be_named_listed_or_every_nth() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6]), ("c", &[7, 9]), ("d", &[11, 12])]);
    fs::write(ground.at("some.txt"), "b\n\nd\n").expect("a list");
    for arguments in [
        &["--identities", "b,d"][..],
        &["--identities", "@some.txt"],
        &["--fold", "1/2"],
        &["--hold-out-fold", "1/2"],
    ] {
        let said = ground.run("evaluate", arguments).well();
        assert!(said.contains("2 identities, 4 images"), "{arguments:?}: {said}");
        assert!(said.contains("AUC                   1.0000"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_model_measured_on_those_it_was_trained_on_is_found_out() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6]), ("c", &[9, 11])]);
    let model = ground.model_with(|card| {
        card.provenance = Some(json!({"data": {"name": "data"}, "held_out": ["a", "b"]}));
    });
    let outcome = ground.run_on(&model, "evaluate", &["--report", "report"]);
    assert!(outcome.complained.contains("trained on 1 of these identities (c)"));
    outcome.well();
    assert_eq!(report(&ground)["training"], json!({"acquaintance": "seen", "identities": ["c"]}));
    assert_eq!(report(&ground)["provenance"]["held_out"], json!(["a", "b"]));

    let outcome = ground.run_on(&model, "evaluate", &["--identities", "a,b"]);
    assert_eq!(outcome.complained, "");
    let said = ground.run_on(&model, "calibrate", &["--identities", "a,b", "--out", "out.onnx"]);
    assert!(said.well().contains("(data, identities unseen in training)"));
}

#[test]
fn one_image_of_each_of_a_folder_is_enough_to_recognise_another() {
    // The alphabets lie at the same greys, so that across them nothing could be told apart.
    let greys: &[(&str, &[u8])] = &[
        ("Greek/alpha", &[10, 12]),
        ("Greek/beta", &[50, 52]),
        ("Latin/a", &[10, 52]),
        ("Latin/b", &[50, 12]),
        ("Runes/f", &[1, 2]),
    ];
    let ground = Ground::of(greys);
    let arguments = ["--resamples", "0", "--one-shot", "2", "--report", "report"];
    let said = ground.run("evaluate", &arguments).well();
    assert!(said.contains("2-way 1-shot error: 50.00 ± 0.00 % (400 episodes"), "{said}");
    assert!(said.contains("  Greek: 0.00 % (2 identities)\n"), "{said}");
    assert!(said.contains("  Latin: 100.00 % (2 identities)\n"), "{said}");
    assert!(said.contains("left out, with fewer than 2 identities: Runes"), "{said}");
    assert_eq!(report(&ground)["one_shot"]["error"], 0.5);

    let refusal = ground.run("evaluate", &["--one-shot", "3"]).refusal();
    assert!(refusal.contains("the largest has 2: ask for fewer"), "{refusal}");
}

#[test]
fn a_report_shows_how_the_training_went() {
    let ground = known();
    let arguments = ["--resamples", "0", "--report", "report", "--run", "run"];
    let refusal = ground.run("evaluate", &arguments).refusal();
    assert!(refusal.contains("run holds no history.jsonl"), "{refusal}");

    fs::create_dir(ground.at("run")).expect("a folder");
    let line = |step: u32, loss: f64| {
        format!("{{\"step\":{step},\"loss\":{loss},\"floor\":1.0,\"eer\":0.25,\"seconds\":1.5}}\n")
    };
    fs::write(ground.at("run/history.jsonl"), line(10, 0.9) + &line(20, 0.5)).expect("a file");
    ground.run("evaluate", &arguments).well();
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    assert_eq!(report(&ground)["history"][1]["loss"], 0.5);
    assert!(page.contains("loss, 0.5 at the end") && page.contains("learned nothing: 1"), "{page}");
}
