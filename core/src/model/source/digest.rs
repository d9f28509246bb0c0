//! What a digest stands for: everything that determines an embedding.
//!
//! Where all of that stands in the ONNX file, it is the file's own digest, as `sha256sum` gives it. Otherwise it is the
//! digest of a text in UTF-8, each line with a line feed at its end:
//!
//! ```text
//! siamese model 1
//! model sha256:…                    the ONNX file
//! weights "NAME" sha256:…           each file of weights, in the order that the model names them first
//! input 112x92                      from here on, where there is a sidecar: height and width
//! colour grey
//! scale 0.003921569
//! mean 0.5                          one number a channel, with commas between
//! std 0.5
//! fit stretch
//! resize bilinear
//! embedding as-is
//! ```
//!
//! A name is a JSON text, without `./`; a number is the shortest that reads back as the same.

use std::fmt::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::model::Card;
use crate::picture::Preparation;

/// `sha256:` and the hex digest of bytes.
pub(super) fn of(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// The digest of a model of several files: the ONNX file's digest, the names and digests of its weights, and the card
/// where it stands in a sidecar.
pub(super) fn of_several(
    model: &str,
    weights: &[(PathBuf, String)],
    sidecar: Option<&Card>,
) -> String {
    let mut text = format!("siamese model 1\nmodel {model}\n");
    for (name, digest) in weights {
        let name = serde_json::Value::from(name.to_string_lossy());
        writeln!(text, "weights {name} {digest}").expect("a text takes all");
    }
    if let Some(card) = sidecar {
        text += &preparation(card);
    }
    of(text.as_bytes())
}

/// What a card says that determines an embedding, the same for all ways to write it.
fn preparation(card: &Card) -> String {
    let Preparation { height, width, colour, fit, scale, ref mean, ref std } = card.preparation;
    let channels = card.preparation.shape()[0];
    let each = |numbers: &[f32]| {
        let numbers = match numbers {
            [one] => vec![one.to_string(); channels],
            all => all.iter().map(ToString::to_string).collect(),
        };
        numbers.join(",")
    };
    let (mean, std, length) = (each(mean), each(std), card.length);
    format!(
        "input {height}x{width}\ncolour {colour}\nscale {scale}\nmean {mean}\nstd {std}\nfit {fit}\n\
         resize bilinear\nembedding {length}\n"
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
    fn a_preparation_is_the_same_however_it_is_written() {
        let plain = card(&[("input", "64"), ("colour", "rgb"), ("mean", "0.5"), ("std", "1")]);
        assert_eq!(
            preparation(&plain),
            "input 64x64\ncolour rgb\nscale 0.003921569\nmean 0.5,0.5,0.5\nstd 1,1,1\nfit stretch\n\
             resize bilinear\nembedding as-is\n"
        );
        let mean = ("mean", "0.50, 0.5,5e-1");
        let long = [("input", "64x64"), ("colour", "rgb"), mean, ("threshold", "0.3")];
        assert_eq!(preparation(&card(&long)), preparation(&plain));
        let other = card(&[("input", "64"), ("colour", "rgb"), ("mean", "0.4")]);
        assert_ne!(preparation(&other), preparation(&plain));
    }

    #[test]
    fn the_text_is_what_is_documented() {
        let weights = [(PathBuf::from("a \"b\".data"), "sha256:01".to_owned())];
        let card = card(&[("input", "4"), ("colour", "grey")]);
        let text = "siamese model 1\nmodel sha256:00\nweights \"a \\\"b\\\".data\" sha256:01\n\
                    input 4x4\ncolour grey\nscale 0.003921569\nmean 0\nstd 1\nfit stretch\nresize bilinear\n\
                    embedding as-is\n";
        assert_eq!(of_several("sha256:00", &weights, Some(&card)), of(text.as_bytes()));
    }
}
