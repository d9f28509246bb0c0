//! The manual pages of a program, from its command line.

use std::io::{self, Write as _};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::output::{self, Destination, OutputError};

/// Writes the pages of a program into a folder: one for the program, and one for each of its commands.
///
/// A page ends with the sections of the command's help (`after_help`), and with those of `environment`. Such a section is a
/// heading with a colon, then items indented by two spaces, with their descriptions indented further. An empty line
/// separates it from the next.
pub fn write(program: Command, environment: &str, folder: &Path) -> Result<(), OutputError> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    output::create_folder(folder)?;
    write_pages(&program, environment, folder)
}

fn write_pages(command: &Command, environment: &str, folder: &Path) -> Result<(), OutputError> {
    let subcommands = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    for subcommand in subcommands {
        write_pages(subcommand, environment, folder)?;
    }
    let man = Man::new(command.clone());
    let path = folder.join(man.get_filename());
    let written = Destination::of(&path)?
        .open()
        .and_then(|mut file| file.write_all(&page(&man, command, environment)?));
    written.map_err(|cause| OutputError::Written { path, cause })
}

/// The page of a command.
fn page(man: &Man, command: &Command, environment: &str) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let end = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let sections = [end.as_str(), environment].into_iter().flat_map(|text| text.split("\n\n"));
    for section in sections.filter(|section| !section.is_empty()) {
        page.extend(rendered(section).into_bytes());
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Renders a section of a help text.
fn rendered(section: &str) -> String {
    let mut lines = section.lines();
    let heading = lines.next().unwrap_or_default().trim_end_matches(':');
    let mut page = Roff::new();
    page.control("SH", [heading.to_uppercase().as_str()]);
    for line in lines {
        let text = line.trim_start();
        if line.starts_with("      ") {
            page.text([roman(text)]);
        } else {
            // An exit code and its meaning are on one line.
            let (item, meaning) = text.split_once("  ").unwrap_or((text, ""));
            page.control("TP", []).text([bold(item)]);
            if !meaning.is_empty() {
                page.text([roman(meaning)]);
            }
        }
    }
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_a_heading_and_items() {
        let page = rendered("Exit status:\n  0  It is done.\n  siamese x --y\n      What it does.");
        let lines: Vec<&str> = page.lines().filter(|line| !line.is_empty()).collect();
        assert!(lines.contains(&".SH \"EXIT STATUS\""), "{page}");
        assert!(lines.contains(&"\\fB0\\fR") && lines.contains(&"It is done."), "{page}");
        assert!(lines.contains(&"\\fBsiamese x \\-\\-y\\fR"), "{page}");
        assert!(lines.contains(&"What it does."), "{page}");
    }
}
