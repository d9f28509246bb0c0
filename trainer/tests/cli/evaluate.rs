use std::fs;

use serde_json::{Value, json};

use crate::ground::Ground;

/// Same pairs with distances 1 and 4; different pairs with 2, 3, 6 and 7.
fn known() -> Ground {
    Ground::of(&[("bright", &[103, 107]), ("dark", &[100, 101])])
}

pub(crate) fn report(ground: &Ground) -> Value {
    let text = fs::read_to_string(ground.at("report/report.json")).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn results_match_a_calculation_by_hand() {
    let output = known().run("evaluate", &["--resamples", "20"]).success();
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    assert_eq!(
        lines[0],
        "brightness on data: 2 identities, 4 images, 2 same and 4 different pairs"
    );
    // With two identities, all valid resamples are equal.
    assert_eq!(lines[3], "EER                  50.00 %    50.00 – 50.00 %");
    assert_eq!(lines[4], "AUC                   0.7500    0.7500 – 0.7500");
    assert_eq!(lines[5], "FNMR at FMR 10 %     50.00 %    50.00 – 50.00 % *");
    // 103 finds 101 and 100 before 107; the others find their own first.
    assert_eq!(lines[8], "Recall@1             75.00 %    50.00 – 100.00 %");
    assert_eq!(lines[9], "Recall@5            100.00 %    100.00 – 100.00 %");
    assert!(lines[10].starts_with("mAP                  83.33 %    66.67 – "), "{}", lines[10]);
    assert!(output.contains("each of 4 images ranks all others\n"), "{output}");
    assert!(
        output.contains("At the threshold 10.0000 (half the margin): FMR 100.00 %, FNMR 0.00 %"),
        "{output}"
    );
    assert!(
        output.contains("* 4 different pairs are too few to measure an FMR below 75 %"),
        "{output}"
    );
}

#[test]
fn a_report_has_a_page_results_and_drawings() {
    let ground = known();
    ground.run("evaluate", &["--resamples", "20", "--report", "report"]).success();
    let results = report(&ground);
    assert_eq!(results["eer"]["value"], 0.5);
    assert_eq!(results["auc"]["value"], 0.75);
    assert_eq!(results["retrieval"]["recall_at_1"]["value"], 0.75);
    assert_eq!(results["retrieval"]["queries"], 4);
    assert_eq!(results["threshold"]["source"], "half-margin");
    assert_eq!(results["different_pairs"], 4);
    let closest = &results["closest_different_pairs"][0];
    assert_eq!((&closest["a"], &closest["b"]), (&"bright/0.png".into(), &"dark/1.png".into()));
    assert_eq!(closest["distance"], 2.0);
    assert_eq!(results["map"]["images"].as_array().map(Vec::len), Some(4));
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    for drawing in ["distances.svg", "roc.svg", "det.svg", "errors.svg"] {
        let text = fs::read_to_string(ground.at("report").join(drawing)).expect("a drawing");
        let drawn = roxmltree::Document::parse(&text).expect("well-formed XML");
        assert_eq!(drawn.root_element().tag_name().name(), "svg", "{drawing}");
    }
    assert!(5 <= page.matches("<svg").count(), "drawings are missing");
    assert!(page.contains(">Recall@1</abbr><b>75.00 %</b>"), "recall is missing");
    let outside = page.split("src=\"").skip(1).find(|source| !source.starts_with("data:"));
    assert_eq!(outside, None, "the page loads an external resource");
    assert!(!page.contains("http"), "the page refers to an external resource");
}

#[test]
fn a_report_explains_its_terms() {
    let ground = known();
    ground.run("evaluate", &["--resamples", "0", "--report", "report"]).success();
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    for (term, meaning) in [
        ("FMR", "the share of different pairs that are called same"),
        ("FNMR", "the share of same pairs that are called different"),
        ("EER", "at the threshold where they are equal"),
    ] {
        let explained = page
            .lines()
            .any(|line| line.contains(meaning) && line.contains(&format!("\">{term}</abbr>")));
        assert!(explained, "{term}: {page}");
    }
    assert!(page.contains("The margin, 20, is the distance"), "{page}");
}

#[test]
fn the_worst_pairs_are_shown_as_images() {
    let ground = known();
    ground.run("evaluate", &["--report", "report"]).success();
    let text = fs::read_to_string(ground.at("report/errors.svg")).expect("a drawing");
    let drawn = roxmltree::Document::parse(&text).expect("well-formed XML");
    let images = drawn.descendants().filter(|node| node.tag_name().name() == "image");
    // Two same pairs and four different pairs, of two images each.
    assert_eq!(images.count(), 12);
}

#[test]
fn no_legend_covers_a_curve() {
    let ground = known();
    ground.run("evaluate", &["--report", "report"]).success();
    for (drawing, label, first) in [
        ("roc.svg", "FMR: different pairs called same", "measured"),
        ("det.svg", "FMR: different pairs called same", "measured"),
        ("distances.svg", "distance", "same: "),
    ] {
        let text = fs::read_to_string(ground.at("report").join(drawing)).expect("a drawing");
        let drawn = roxmltree::Document::parse(&text).expect("well-formed XML");
        let below = |start: &str| {
            let is_it = |node: &roxmltree::Node| {
                node.tag_name().name() == "text"
                    && node.text().is_some_and(|text| text.starts_with(start))
            };
            let node = drawn.descendants().find(is_it).expect("the text");
            node.attribute("y").and_then(|y| y.parse::<f64>().ok()).expect("a place")
        };
        assert!(below(label) < below(first), "{drawing}: the legend is not below the x axis");
    }
}

#[test]
fn markup_in_names_is_escaped() {
    let ground = Ground::of(&[("<script>a&b", &[1, 2]), ("\"c\"", &[5, 6])]);
    ground.run("evaluate", &["--report", "report"]).success();
    let text = fs::read_to_string(ground.at("report/errors.svg")).expect("a drawing");
    assert!(roxmltree::Document::parse(&text).is_ok(), "{text}");
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;a&amp;b"), "{page}");
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let ground = Ground::of(&[("a", &[1, 9, 30]), ("b", &[5, 28]), ("c", &[40, 50]), ("d", &[44])]);
    fs::copy(ground.at("data/d/0.png"), ground.at("data/d/1.png")).expect("a copy");
    let mut texts = Vec::new();
    for seed in ["3", "3", "4"] {
        ground.run("evaluate", &["--seed", seed, "--report", "report"]).success();
        texts.push(fs::read_to_string(ground.at("report/report.json")).expect("a report"));
    }
    assert_eq!(texts[0], texts[1]);
    assert_ne!(texts[0], texts[2]);
}

#[test]
fn identities_can_be_selected_by_name_by_file_or_by_fold() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6]), ("c", &[7, 9]), ("d", &[11, 12])]);
    fs::write(ground.at("some.txt"), "b\n\nd\n").expect("a list");
    for arguments in [
        &["--identities", "b,d"][..],
        &["--identities", "@some.txt"],
        &["--fold", "1/2"],
        &["--hold-out-fold", "1/2"],
    ] {
        let output = ground.run("evaluate", arguments).success();
        assert!(output.contains("2 identities, 4 images"), "{arguments:?}: {output}");
        assert!(output.contains("AUC                   1.0000"), "{arguments:?}: {output}");
    }
}

#[test]
fn a_model_measured_on_its_training_identities_gives_a_warning() {
    let ground = Ground::of(&[("a", &[1, 2]), ("b", &[5, 6]), ("c", &[9, 11])]);
    let model = ground.model_with(|card| {
        card.provenance = Some(json!({"data": {"name": "data"}, "held_out": ["a", "b"]}));
    });
    let outcome = ground.run_on(&model, "evaluate", &["--report", "report"]);
    assert!(outcome.stderr.contains("trained on 1 of these identities (c)"));
    outcome.success();
    assert_eq!(report(&ground)["training"], json!({"overlap": "seen", "identities": ["c"]}));
    let published = report(&ground)["provenance"]["held_out"].clone();
    assert_eq!(published["count"], 2);
    assert!(published["digest"].as_str().is_some_and(|text| text.starts_with("sha256:")));

    let outcome = ground.run_on(&model, "evaluate", &["--identities", "a,b"]);
    assert_eq!(outcome.stderr, "");
    let output = ground.run_on(&model, "calibrate", &["--identities", "a,b", "--out", "out.onnx"]);
    assert!(output.success().contains("(data, identities unseen in training)"));
}

#[test]
fn one_shot_error_is_measured_within_each_folder() {
    // The alphabets have the same greys, so across them there would be errors.
    let greys: &[(&str, &[u8])] = &[
        ("Greek/alpha", &[10, 12]),
        ("Greek/beta", &[50, 52]),
        ("Latin/a", &[10, 52]),
        ("Latin/b", &[50, 12]),
        ("Runes/f", &[1, 2]),
    ];
    let ground = Ground::of(greys);
    let arguments = ["--resamples", "0", "--one-shot", "2", "--report", "report"];
    let output = ground.run("evaluate", &arguments).success();
    assert!(output.contains("2-way 1-shot error: 50.00 ± 0.00 % (400 episodes"), "{output}");
    assert!(output.contains("  Greek: 0.00 % (2 identities)\n"), "{output}");
    assert!(output.contains("  Latin: 100.00 % (2 identities)\n"), "{output}");
    assert!(output.contains("skipped, fewer than 2 identities: Runes"), "{output}");
    assert_eq!(report(&ground)["one_shot"]["error"], 0.5);

    let error = ground.run("evaluate", &["--one-shot", "3"]).error();
    assert!(error.contains("the largest has 2: ask for fewer"), "{error}");
}

#[test]
fn a_report_shows_the_training_history() {
    let ground = known();
    let arguments = ["--resamples", "0", "--report", "report", "--run", "run"];
    let error = ground.run("evaluate", &arguments).error();
    assert!(error.contains("run is not a run folder"), "{error}");

    fs::create_dir(ground.at("run")).expect("a folder");
    let line = |step: u32, loss: f64| {
        format!("{{\"step\":{step},\"loss\":{loss},\"floor\":1.0,\"eer\":0.25,\"seconds\":1.5}}\n")
    };
    for name in ["run.toml", "history.jsonl"] {
        fs::write(ground.at("run").join(name), "").expect("a file");
    }
    let outcome = ground.run("evaluate", &arguments);
    assert!(outcome.stderr.contains("the run in run has no training steps"), "{}", outcome.stderr);
    outcome.success();
    assert_eq!(report(&ground).get("history"), None);

    fs::write(ground.at("run/history.jsonl"), line(10, 0.9) + &line(20, 0.5)).expect("a file");
    ground.run("evaluate", &arguments).success();
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    assert_eq!(report(&ground)["history"][1]["loss"], 0.5);
    assert!(page.contains("loss, 0.5 at the end") && page.contains("learned nothing: 1"), "{page}");
}
