//! A list's columns: what they are called, and what stands in them.

use std::fs::File;

use super::error::{BadLine, ListError, in_words};

/// The three ways to say what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    images: &'static [&'static str],
    /// The column of the answer, and whether 1 there means the same.
    answer: Option<(&'static str, bool)>,
}

const FORMS: [Form; 3] = [
    Form { images: &["a", "b"], answer: Some(("same", true)) },
    Form { images: &["anchor", "positive", "negative"], answer: None },
    Form { images: &["before", "after"], answer: Some(("changed", false)) },
];
const SPLIT: &str = "split";

/// Where a list's columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    form: Form,
    images: Vec<usize>,
    answer: Option<usize>,
    split: Option<usize>,
}

/// One line's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) images: Vec<&'a str>,
    /// `None` of a triplet, which needs no answer.
    pub(super) is_same: Option<bool>,
    /// `None` where the list says nothing of it.
    pub(super) is_held_out: Option<bool>,
}

impl Header {
    pub(super) fn read(reader: &mut csv::Reader<File>) -> Result<Self, ListError> {
        let columns = reader.headers().map_err(in_words)?;
        Self::of(columns).ok_or_else(|| {
            let line: String = columns.iter().collect::<Vec<_>>().join(",");
            ListError::Header(line.chars().take(100).collect())
        })
    }

    /// Columns may stand in any order; one that is not known is refused, as it may be a known one
    /// misspelt.
    fn of(columns: &csv::StringRecord) -> Option<Self> {
        let place = |name: &str| columns.iter().position(|it| it.eq_ignore_ascii_case(name));
        let split = place(SPLIT);
        FORMS.into_iter().find_map(|form| {
            let images = form.images.iter().map(|it| place(it)).collect::<Option<Vec<_>>>()?;
            let answer = match form.answer {
                Some((name, _)) => Some(place(name)?),
                None => None,
            };
            let known = images.len() + usize::from(answer.is_some()) + usize::from(split.is_some());
            (known == columns.len()).then_some(Self { form, images, answer, split })
        })
    }

    pub(super) fn row<'a>(&self, record: &'a csv::StringRecord) -> Result<Row<'a>, BadLine> {
        let field = |at: usize| record.get(at).unwrap_or_default();
        let is_same = match (self.form.answer, self.answer) {
            (Some((column, means_same)), Some(at)) => {
                let answer = yes_or_no(field(at))
                    .ok_or_else(|| BadLine::NoAnswer { column, value: field(at).to_owned() })?;
                Some(answer == means_same)
            }
            _ => None,
        };
        let is_held_out = self.split.map(|at| match field(at) {
            "train" => Ok(false),
            "held-out" => Ok(true),
            other => Err(BadLine::NoSide(other.to_owned())),
        });
        Ok(Row {
            images: self.images.iter().map(|it| field(*it)).collect(),
            is_same,
            is_held_out: is_held_out.transpose()?,
        })
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &str, line: &str) -> Option<(Vec<String>, Option<bool>, Option<bool>)> {
        let record = |text: &str| csv::StringRecord::from(text.split(',').collect::<Vec<_>>());
        let line = record(line);
        let Row { images, is_same, is_held_out } =
            Header::of(&record(columns))?.row(&line).expect("a row");
        Some((images.into_iter().map(str::to_owned).collect(), is_same, is_held_out))
    }

    #[track_caller]
    fn check(columns: &str, line: &str, images: &[&str], answers: [Option<bool>; 2]) {
        let images = images.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(row(columns, line), Some((images, answers[0], answers[1])));
    }

    #[test]
    fn the_columns_decide_what_a_line_says() {
        check("a,b,same", "1.png,2.png,1", &["1.png", "2.png"], [Some(true), None]);
        check("before,after,changed", "1.png,2.png,no", &["1.png", "2.png"], [Some(true), None]);
        check("anchor,positive,negative", "1,2,3", &["1", "2", "3"], [None, None]);
        check("Split,same,B,A", "held-out,False,2,1", &["1", "2"], [Some(false), Some(true)]);
        check("a,b,same,split", "1,2,0,train", &["1", "2"], [Some(false), Some(false)]);
    }

    #[test]
    fn a_column_that_is_not_known_is_refused() {
        for columns in ["a,b", "a,b,same,splitt", "a,b,same,same", "a;b;same", "a,b,changed", ""] {
            assert_eq!(row(columns, "1,2,1,train"), None, "{columns}");
        }
    }
}
