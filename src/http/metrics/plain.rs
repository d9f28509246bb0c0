//! The Prometheus text format, for clients that do not request `OpenMetrics`. Many tools read only this format.

/// Converts `OpenMetrics` text to the Prometheus format: type lines name whole samples, and an info is a gauge of 1.
pub(crate) fn plain(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = "";
    for line in open.lines() {
        if let Some(named) = line.strip_prefix("# HELP ") {
            help = named.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = type_of(line) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                kind => ("", kind),
            };
            for (keyword, value) in [("HELP", help), ("TYPE", kind)] {
                text.extend(["# ", keyword, " ", name, suffix, " ", value, "\n"]);
            }
        } else if !line.starts_with("# ") {
            text.extend([line, "\n"]);
        }
    }
    text
}

fn type_of(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("# TYPE ")?.split_once(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_lines_name_whole_samples() {
        let open = "# HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1.5\n\
                    # HELP b Of what.\n# TYPE b info\nb_info{x=\"y\"} 1\n\
                    # HELP c Parts.\n# TYPE c histogram\nc_sum 0.0\nc_count 0\n# EOF\n";
        insta::assert_snapshot!(plain(open), @r#"
        # HELP a_seconds_total Time.
        # TYPE a_seconds_total counter
        a_seconds_total 1.5
        # HELP b_info Of what.
        # TYPE b_info gauge
        b_info{x="y"} 1
        # HELP c Parts.
        # TYPE c histogram
        c_sum 0.0
        c_count 0
        "#);
    }
}
