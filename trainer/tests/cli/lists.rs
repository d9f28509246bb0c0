//! Lists of pairs and triplets.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;

use siamese_core::model::{OnnxModel, Options, rewrite};

use crate::evaluate;
use crate::ground::{BRIGHTNESS, Ground, Outcome};
use crate::made;

/// Makes uniform grey images `g/0.png` and so on, and a list beside the folder.
fn listed(greys: &[u8], list: &str) -> Ground {
    let ground = Ground::of(&[("g", greys)]);
    fs::rename(ground.at("data/g"), ground.at("g")).expect("a folder");
    fs::write(ground.at("pairs.csv"), list).expect("a list");
    ground
}

/// Same pairs with distances 1 and 4, different pairs with 2, 3, 6 and 7, in five components.
fn known() -> Ground {
    listed(
        &[100, 101, 50, 54, 0, 2, 5, 200, 206, 90, 97],
        "a,b,same\ng/0.png,g/1.png,1\ng/3.png,g/2.png,1\ng/4.png,g/5.png,0\ng/5.png,g/6.png,0\n\
         g/7.png,g/8.png,0\ng/9.png,g/10.png,0\n",
    )
}

fn run(ground: &Ground, arguments: &[&str]) -> Outcome {
    ground.program(arguments.iter().map(OsStr::new))
}

fn evaluate(ground: &Ground, arguments: &[&str]) -> Outcome {
    let fixed = ["evaluate", "--data", "pairs.csv", "--model", BRIGHTNESS];
    run(ground, &[&fixed[..], arguments].concat())
}

#[test]
fn results_are_of_the_listed_pairs_only() {
    let ground = known();
    let output = evaluate(&ground, &["--resamples", "200", "--report", "report"]).success();
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    assert_eq!(
        lines[0],
        "brightness on pairs: 5 components, 11 images, 2 same and 4 different pairs"
    );
    assert!(lines[3].starts_with("EER                  50.00 %"), "{output}");
    assert!(lines[4].starts_with("AUC                   0.7500"), "{output}");
    assert!(output.contains("200 resamples of the components"), "{output}");

    let record = evaluate::report(&ground);
    assert_eq!((&record["unit"], &record["identities"]), (&"component".into(), &5.into()));
    assert_eq!(record["bootstrap"]["of"], "components");
    assert_eq!(record["closest_different_pairs"][0]["a"], "g/4.png");
    assert!(record.get("by_identity").is_none() && record.get("map").is_none(), "{record}");
    let page = fs::read_to_string(ground.at("report/index.html")).expect("a page");
    assert!(!page.contains("hardest") && !page.contains("Map of the images"), "{page}");
    assert!(page.contains("resampling the components"), "{page}");
}

#[test]
fn a_column_or_a_fold_selects_whole_components() {
    let output = evaluate(&known(), &["--fold", "0/2", "--resamples", "0"]).success();
    // g/0, g/4 and g/9, each the first of its component.
    assert!(output.contains("3 components, 7 images, 1 same and 3 different pairs"), "{output}");
    assert!(output.contains("Recall and mAP are left out: a list compares only"), "{output}");

    let ground = listed(
        &[0, 1, 5, 9, 20, 21],
        "before,after,changed,split\ng/0.png,g/1.png,0,held-out\ng/1.png,g/2.png,1,held-out\n\
         g/3.png,g/4.png,1,train\n",
    );
    let output = evaluate(&ground, &["--resamples", "0"]);
    assert!(output.stderr.contains("the pairs connect all images"), "{}", output.stderr);
    let output = output.success();
    assert!(output.contains("1 components, 3 images, 1 same and 1 different pairs"), "{output}");
    let error = evaluate(&ground, &["--hold-out", "g/3.png"]).stderr;
    assert!(error.contains("1 pairs here, but no same pairs"), "{error}");
}

#[test]
fn a_model_is_calibrated_and_compared_with_another_on_pairs() {
    // The distances of same pairs are at most 2, and those of different pairs 3 to 7.
    let distance = |pair: u8| if pair % 2 == 1 { pair % 3 } else { 3 + pair % 5 };
    let greys: Vec<u8> = (0..20).flat_map(|pair| [12 * pair, 12 * pair + distance(pair)]).collect();
    let pairs =
        (0..20).map(|pair| format!("g/{}.png,g/{}.png,{}\n", 2 * pair, 2 * pair + 1, pair % 2));
    let ground = listed(&greys, &format!("a,b,same\n{}", pairs.collect::<String>()));
    let output = run(
        &ground,
        &["calibrate", "--pairs", "pairs.csv", "--model", BRIGHTNESS, "--out", "mine.onnx"],
    );
    let output = output.success();
    assert!(output.contains("10 same and 10 different pairs of 20 components"), "{output}");
    assert!(output.contains("(pairs, listed pairs)"), "{output}");
    assert!(
        output.contains("Errors on components that the threshold was not chosen on"),
        "{output}"
    );
    let model = OnnxModel::load(&ground.at("mine.onnx"), &Options::default()).expect("a model");
    assert!(model.card().threshold.is_some());

    let arguments = ["report", BRIGHTNESS, "mine.onnx", "--data", "pairs.csv", "--report", "two"];
    let output = run(&ground, &arguments).success();
    assert!(output.contains("pairs: 20 components, 40 images"), "{output}");
    let page = fs::read_to_string(ground.at("two/index.html")).expect("a page");
    assert!(page.contains("resampling the components"), "{page}");
}

#[test]
fn a_network_is_adopted_on_pairs() {
    let ground = known();
    fs::write(
        ground.at("pairs.csv"),
        "a,b,same\ng/0.png,g/1.png,1\ng/4.png,g/5.png,1\ng/2.png,g/7.png,0\ng/3.png,g/8.png,0\n",
    )
    .expect("a list");
    let onnx = fs::read(BRIGHTNESS).expect("a file");
    fs::write(ground.at("bare.onnx"), rewrite(&onnx, &[]).expect("ONNX")).expect("a file");
    let arguments = ["adopt", "--model", "bare.onnx", "--data", "pairs.csv", "--out", "mine.onnx"];
    let usage = ["--input", "4", "--scale", "1", "--embedding", "as-is"];
    let output = run(&ground, &[&arguments[..], &usage].concat()).success();
    assert!(output.contains("tried on 8 images of 4 components"), "{output}");
    let model = OnnxModel::load(&ground.at("mine.onnx"), &Options::default()).expect("a model");
    let threshold = model.card().threshold.expect("a threshold").get();
    assert!((2.0..150.0).contains(&threshold), "{threshold}");
}

#[test]
fn an_invalid_list_gives_a_one_line_error_with_advice() {
    let check = |list: &str, words: &str| {
        let error = evaluate(&listed(&[1, 2, 3], list), &[]).error();
        assert!(error.contains(words), "{error}");
    };
    check("x,y\n1,2\n", "pairs.csv is not a valid list: the first line must name the columns");
    check("a,b,same\ng/0.png,../g/1.png,1\n", "line 2: ../g/1.png is not below the list's");
    check("a,b,same\ng/0.png,g/1.png,1\ng/1.png,g/7.png,0\n", "g/7.png (line 3, ");
    check("a,b,same\ng/0.png,g/1.png,1\ng/1.png,g/0.png,0\n", "line 3: it contradicts line 2");
    check("a,b,same\ng/0.png,g/1.png,1\n", "but no different pairs");

    let error = evaluate(&known(), &["--one-shot", "2"]).error();
    assert!(error.contains("--one-shot needs identities"), "{error}");
}

#[test]
fn a_missing_image_can_be_skipped_with_its_pairs() {
    let ground = known();
    fs::remove_file(ground.at("g/6.png")).expect("a file");
    let outcome = evaluate(&ground, &["--skip-unreadable", "--resamples", "0"]);
    assert!(outcome.stderr.contains("skipped g/6.png (line 5, "), "{}", outcome.stderr);
    assert!(outcome.success().contains("10 images, 2 same and 3 different pairs"));
}

/// Makes triplets of synthetic images: two of one pattern, and one of another.
fn triplets() -> Ground {
    let ground = Ground::new();
    made::write(&ground.at("data"), 8, 4);
    let mut list = "anchor,positive,negative\n".to_owned();
    for (pattern, other) in [(0, 1), (2, 3), (4, 5), (6, 7)] {
        for [anchor, positive] in [[0, 1], [2, 3]] {
            let own = format!("data/pattern{pattern}");
            writeln!(
                list,
                "{own}/{anchor}.png,{own}/{positive}.png,data/pattern{other}/{anchor}.png"
            )
            .expect("a line");
        }
    }
    fs::write(ground.at("pairs.csv"), list).expect("a list");
    ground
}

#[test]
fn triplets_are_trained_with_the_triplet_loss() {
    let ground = triplets();
    let fixed = ["train", "--data", "pairs.csv", "--out", "model.onnx"];
    let outcome = run(&ground, &[&fixed[..], &["--steps", "2"]].concat());
    outcome.success();
    let record = fs::read_to_string(ground.at("model.run/run.toml")).expect("a record");
    for words in ["kind = \"triplet\"", "pairs = 16", "classifier_weight = 0.0", "erase = 0.0"] {
        assert!(record.contains(words), "{words}: {record}");
    }
}

#[test]
fn options_that_need_identities_are_rejected_for_a_list() {
    let ground = known();
    let train = |arguments: &[&str]| {
        let fixed = ["train", "--data", "pairs.csv", "--out", "model.onnx"];
        run(&ground, &[&fixed[..], arguments].concat()).error()
    };
    for (arguments, words) in [
        (
            ["--loss", "softmax"],
            "needs identities, which a list does not name: choose --loss contrastive",
        ),
        (["--loss", "triplet"], "this list holds pairs: choose --loss contrastive"),
        (["--network", "wavelet"], "choose --network compact or baseline"),
        (["--hold-out-fold", "0/9"], "but no different pairs"),
    ] {
        let error = train(&arguments);
        assert!(error.contains(words), "{error}");
    }
    let config = toml::to_string(&made::config()).expect("TOML");
    fs::write(ground.at("config.toml"), config).expect("a file");
    let error = train(&["--config", "config.toml"]);
    assert!(error.contains("choose classifier_weight = 0"), "{error}");
    assert!(!ground.at("model.run").exists());
}

#[test]
fn inverted_labels_are_reported() {
    // Same pairs, as they are labelled, have distances of 60 and more, and different pairs of at most 2.
    let greys: Vec<u8> =
        (0..24).flat_map(|pair| [pair, pair + 60 * (pair % 2) + pair % 3]).collect();
    let line = |pair: u8| format!("g/{}.png,g/{}.png,{}\n", 2 * pair, 2 * pair + 1, pair % 2);
    let lines: String = (0..24).map(line).collect();
    let ground = listed(&greys, &format!("a,b,same\n{lines}"));
    let outcome = evaluate(&ground, &[]);
    assert!(outcome.stderr.contains("warning: the EER is 100.00 %"), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0));
    for command in [
        &["calibrate"][..],
        &["calibrate", "--resamples", "0"],
        &["adopt", "--scale", "1", "--embedding", "as-is"],
    ] {
        let fixed = ["--data", "pairs.csv", "--model", BRIGHTNESS, "--out", "out.onnx"];
        let error = run(&ground, &[command, &fixed].concat()).error();
        assert!(error.contains("labels inverted?"), "{error}");
        assert!(!ground.at("out.onnx").exists());
    }
    // One pair of each kind shows nothing.
    let few = listed(&[0, 90, 5, 6], "a,b,same\ng/0.png,g/1.png,1\ng/2.png,g/3.png,0\n");
    let outcome = evaluate(&few, &[]);
    assert!(!outcome.stderr.contains("inverted"), "{}", outcome.stderr);
}
