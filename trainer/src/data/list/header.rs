//! The columns of a list, and how a line is read.

use super::area::{AreaColumn, ChangedArea};
use super::error::{BadLine, ListError, from_csv};

/// The kinds of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    images: &'static [&'static str],
    /// The column of the label, and whether 1 means same.
    label: Option<(&'static str, bool)>,
}

const FORMS: [Form; 3] = [
    Form { images: &["a", "b"], label: Some(("same", true)) },
    Form { images: &["anchor", "positive", "negative"], label: None },
    Form { images: &["before", "after"], label: Some(("changed", false)) },
];
pub(super) const SPLIT: &str = "split";

impl Form {
    fn is_of_changes(self) -> bool {
        self.label.is_some_and(|(label, _)| label == "changed")
    }
}

/// The positions of a list's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    form: Form,
    images: Vec<usize>,
    /// `None` for triplets, and for changes with an area, which may omit it.
    label: Option<usize>,
    area: Option<(AreaColumn, usize)>,
    split: Option<usize>,
}

/// The fields of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) images: Vec<&'a str>,
    /// `None` for a triplet, which has no label.
    pub(super) is_same: Option<bool>,
    /// `None` if the list does not tell where a pair has changed.
    pub(super) area: Option<ChangedArea>,
    /// `None` if the list has no column `split`.
    pub(super) is_held_out: Option<bool>,
}

impl Header {
    pub(super) fn read(reader: &mut csv::Reader<&[u8]>) -> Result<Self, ListError> {
        let columns = reader.headers().map_err(from_csv)?;
        Self::of(columns).ok_or_else(|| {
            let line: String = columns.iter().collect::<Vec<_>>().join(",");
            ListError::Header(line.chars().take(100).collect())
        })
    }

    /// Finds the columns, in any order. An unknown column is rejected, because it may be a misspelt one.
    fn of(columns: &csv::StringRecord) -> Option<Self> {
        let place =
            |name: &str| columns.iter().position(|column| column.eq_ignore_ascii_case(name));
        let split = place(SPLIT);
        let area = AreaColumn::ALL.into_iter().find_map(|area| Some((area, place(area.name())?)));
        FORMS.into_iter().find_map(|form| {
            let images = form.images.iter().map(|name| place(name)).collect::<Option<Vec<_>>>()?;
            let area = area.filter(|_| form.is_of_changes());
            let label = form.label.and_then(|(name, _)| place(name));
            if form.label.is_some() && label.is_none() && area.is_none() {
                return None;
            }
            let optional = [label, split, area.map(|(_, column)| column)];
            let known = images.len() + optional.iter().flatten().count();
            (known == columns.len()).then_some(Self { form, images, label, area, split })
        })
    }

    /// Returns whether the images of a pair show one place before and after.
    pub(super) fn is_of_changes(&self) -> bool {
        self.form.is_of_changes()
    }

    pub(super) fn row<'a>(&self, record: &'a csv::StringRecord) -> Result<Row<'a>, BadLine> {
        let field = |column: usize| record.get(column).unwrap_or_default();
        let is_same = match (self.form.label, self.label) {
            (Some((column, means_same)), Some(index)) => {
                let value = field(index);
                let label = yes_or_no(value)
                    .ok_or_else(|| BadLine::InvalidLabel { column, value: value.to_owned() })?;
                Some(label == means_same)
            }
            _ => None,
        };
        let area = match self.area {
            Some((area, column)) => Some((area, area.area(field(column))?)),
            None => None,
        };
        let is_same = match &area {
            None => is_same,
            Some((column, area)) => {
                let is_unchanged = *area == ChangedArea::Nowhere;
                if is_same.is_some_and(|is_same| is_same != is_unchanged) {
                    return Err(BadLine::ContradictsArea(column.name()));
                }
                Some(is_unchanged)
            }
        };
        let is_held_out = self.split.map(|column| side(field(column)));
        Ok(Row {
            images: self.images.iter().map(|column| field(*column)).collect(),
            is_same,
            area: area.map(|(_, area)| area),
            is_held_out: is_held_out.transpose()?,
        })
    }
}

/// Returns whether the value of the column `split` holds out.
pub(super) fn side(value: &str) -> Result<bool, BadLine> {
    match value {
        "train" => Ok(false),
        "held-out" => Ok(true),
        other => Err(BadLine::InvalidSplit(other.to_owned())),
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
        let Row { images, is_same, is_held_out, .. } =
            Header::of(&record(columns))?.row(&line).expect("a row");
        Some((images.into_iter().map(str::to_owned).collect(), is_same, is_held_out))
    }

    #[track_caller]
    fn check(columns: &str, line: &str, images: &[&str], flags: [Option<bool>; 2]) {
        let images = images.iter().map(|image| (*image).to_owned()).collect();
        assert_eq!(row(columns, line), Some((images, flags[0], flags[1])));
    }

    #[test]
    fn the_columns_define_the_meaning_of_a_line() {
        check("a,b,same", "1.png,2.png,1", &["1.png", "2.png"], [Some(true), None]);
        check("before,after,changed", "1.png,2.png,no", &["1.png", "2.png"], [Some(true), None]);
        check("anchor,positive,negative", "1,2,3", &["1", "2", "3"], [None, None]);
        check("Split,same,B,A", "held-out,False,2,1", &["1", "2"], [Some(false), Some(true)]);
        check("a,b,same,split", "1,2,0,train", &["1", "2"], [Some(false), Some(false)]);
    }

    #[test]
    fn a_pair_is_unchanged_if_its_area_is_empty() {
        check("before,after,boxes", "1,2,", &["1", "2"], [Some(true), None]);
        check("mask,after,before,split", "m,2,1,train", &["1", "2"], [Some(false), Some(false)]);
        check("before,after,changed,boxes", "1,2,1,0 0 1 1", &["1", "2"], [Some(false), None]);
        let record = |text: &str| csv::StringRecord::from(text.split(',').collect::<Vec<_>>());
        let header = Header::of(&record("before,after,changed,mask")).expect("a header");
        let refusal = header.row(&record("1,2,1,")).expect_err("a contradiction");
        assert_eq!(refusal, BadLine::ContradictsArea("mask"));
    }

    #[test]
    fn an_unknown_column_is_rejected() {
        for columns in [
            "a,b,boxes",
            "a,b,same,mask",
            "before,after,mask,boxes",
            "a,b",
            "a,b,same,splitt",
            "a,b,same,same",
            "a;b;same",
            "a,b,changed",
            "",
        ] {
            assert_eq!(row(columns, "1,2,1,train"), None, "{columns}");
        }
    }
}
