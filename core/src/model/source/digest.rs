//! The digest of a model: it covers everything that determines an embedding.
//!
//! If the ONNX file contains all of it, the digest is that of the file, as `sha256sum` prints it. Otherwise it is the
//! digest of a UTF-8 text. Each line ends with a line feed:
//!
//! ```text
//! siamese model 1
//! model sha256:…                    the ONNX file
//! weights "NAME" sha256:…           each weight file, in the order of its first mention in the model
//! input 112x92                      from this line on only with a sidecar: height and width
//! colour grey
//! scale 0.003921569
//! mean 0.5                          one number for each channel, separated by commas
//! std 0.5
//! fit stretch
//! resize bilinear
//! embedding as-is
//! reduction 2                       only if the sidecar states it: its samples
//! align face                        the last three lines only if the sidecar aligns faces
//! points 48,45 101,46 75,79 74,104
//! detector sha256:…                 the text of the detector
//! ```
//!
//! A name is a JSON string without a leading `./`. A number has the fewest digits that read back as the same value.

use std::fmt::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::model::Card;
use crate::preprocessing::Preprocessing;

/// `sha256:` and the hex digest of bytes.
pub(in crate::model) fn of(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// The digest of a model of several files: over the ONNX file's digest, the names and digests of its weight files, and
/// the card if it comes from a sidecar.
pub(super) fn of_several(
    model: &str,
    weights: &[(PathBuf, String)],
    sidecar: Option<&Card>,
) -> String {
    let mut text = format!("siamese model 1\nmodel {model}\n");
    for (name, digest) in weights {
        let name = serde_json::Value::from(name.to_string_lossy());
        writeln!(text, "weights {name} {digest}").expect("writing to a string can't fail");
    }
    if let Some(card) = sidecar {
        text += &preprocessing(card);
    }
    of(text.as_bytes())
}

/// The part of a card that determines an embedding, in one canonical form.
fn preprocessing(card: &Card) -> String {
    let Preprocessing { height, width, colour, fit, scale, ref mean, ref std } = card.preprocessing;
    let channels = card.preprocessing.shape()[0];
    let each = |numbers: &[f32]| {
        let numbers = match numbers {
            [one] => vec![one.to_string(); channels],
            all => all.iter().map(ToString::to_string).collect(),
        };
        numbers.join(",")
    };
    let (mean, std, length) = (each(mean), each(std), card.length);
    let reduction = card
        .reduction
        .map_or_else(String::new, |reduction| format!("reduction {}\n", reduction.samples));
    let align = card.align.as_ref().map_or_else(String::new, |align| {
        let detector = of(align.detector.to_string().as_bytes());
        format!("align face\npoints {}\ndetector {detector}\n", align.points)
    });
    format!(
        "input {height}x{width}\ncolour {colour}\nscale {scale}\nmean {mean}\nstd {std}\nfit {fit}\n\
         resize bilinear\nembedding {length}\n{reduction}{align}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(entries: &[(&str, &str)]) -> Card {
        let values = entries.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Card::parse(&values, "stem").expect("a card")
    }

    #[test]
    fn different_spellings_of_a_preprocessing_give_the_same_text() {
        let plain = card(&[("input", "64"), ("colour", "rgb"), ("mean", "0.5"), ("std", "1")]);
        assert_eq!(
            preprocessing(&plain),
            "input 64x64\ncolour rgb\nscale 0.003921569\nmean 0.5,0.5,0.5\nstd 1,1,1\nfit stretch\n\
             resize bilinear\nembedding as-is\n"
        );
        let mean = ("mean", "0.50, 0.5,5e-1");
        let long = [("input", "64x64"), ("colour", "rgb"), mean, ("threshold", "0.3")];
        assert_eq!(preprocessing(&card(&long)), preprocessing(&plain));
        let reduction = r#"{"samples":1.5,"pairs":1,"mean_of_threshold":0,"largest_of_threshold":0,"flipped":0}"#;
        let reduced =
            card(&[("input", "64"), ("colour", "rgb"), ("mean", "0.5"), ("reduction", reduction)]);
        let expected = preprocessing(&plain) + "reduction 1.5\n";
        assert_eq!(preprocessing(&reduced), expected);
        let other = card(&[("input", "64"), ("colour", "rgb"), ("mean", "0.4")]);
        assert_ne!(preprocessing(&other), preprocessing(&plain));
    }

    #[test]
    fn the_text_matches_the_documentation() {
        let weights = [(PathBuf::from("a \"b\".data"), "sha256:01".to_owned())];
        let card = card(&[("input", "4"), ("colour", "grey")]);
        let text = "siamese model 1\nmodel sha256:00\nweights \"a \\\"b\\\".data\" sha256:01\n\
                    input 4x4\ncolour grey\nscale 0.003921569\nmean 0\nstd 1\nfit stretch\nresize bilinear\n\
                    embedding as-is\n";
        assert_eq!(of_several("sha256:00", &weights, Some(&card)), of(text.as_bytes()));
    }
}
