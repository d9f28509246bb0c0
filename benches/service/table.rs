//! Markdown tables, printed row by row.

/// A table whose head has been printed.
pub(crate) struct Table {
    columns: usize,
    rows: usize,
}

impl Table {
    /// Prints a heading, a description, and the table's head.
    pub(crate) fn begin(heading: &str, about: &str, columns: &[&str]) -> Self {
        println!("\n### {heading}\n\n{about}\n");
        println!("| {} |", columns.join(" | "));
        println!("|{}", "---|".repeat(columns.len()));
        Self { columns: columns.len(), rows: 0 }
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        assert_eq!(cells.len(), self.columns, "one cell for each column");
        println!("| {} |", cells.join(" | "));
        self.rows += 1;
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}

/// A number with three digits, or more if it is larger.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}
