//! Finds the paths to other modules in a source file.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The parts of a Rust file that matter for layers.
pub(crate) struct Source {
    /// Its module, from the crate's root.
    pub(crate) module: Vec<String>,
    pub(crate) paths: Vec<Used>,
    /// The modules that it declares only for tests.
    pub(crate) tests: Vec<Vec<String>>,
}

/// A module that a path names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) line: usize,
    /// The whole path, from the crate's root or from the core's name.
    pub(crate) to: Vec<String>,
}

struct Reader<'a> {
    /// The crate's own name, which its binary uses.
    own: &'a str,
    core: &'a str,
    source: Source,
}

/// The module of a file in the crate's sources. It is empty for the root.
pub(crate) fn module(place: &Path) -> Vec<String> {
    let place = place.with_extension("");
    let names = place.iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name != "mod" && name != "lib").collect()
}

/// Reads all paths that begin with `crate`, `super`, or the name of the crate or of the core.
pub(crate) fn read(text: &str, module: &[String], own: &str, core: &str) -> Source {
    let tokens: TokenStream = text.parse().expect("Rust");
    let source = Source { module: module.to_vec(), paths: Vec::new(), tests: Vec::new() };
    let mut reader = Reader { own, core, source };
    reader.walk(tokens, module);
    reader.source
}

impl Reader<'_> {
    /// Reads the tokens of a module, in any brackets.
    fn walk(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = &tokens[..];
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match (first, after) {
                (TokenTree::Punct(hash), [TokenTree::Group(attribute), item @ ..])
                    if hash.as_char() == '#' && is_for_tests(&attribute.stream()) =>
                {
                    rest = self.skip(item, module);
                }
                (
                    TokenTree::Ident(word),
                    [TokenTree::Ident(name), TokenTree::Group(body), end @ ..],
                ) if word == "mod" => {
                    self.walk(body.stream(), &joined(module, &name.to_string()));
                    rest = end;
                }
                (TokenTree::Ident(word), _) => {
                    let line = word.span().start().line;
                    match word.to_string().as_str() {
                        "crate" => self.follow(after, Vec::new(), line),
                        "super" => self.follow(after, parent(module), line),
                        name if name == self.core => {
                            self.follow(after, vec![self.core.to_owned()], line);
                        }
                        name if name == self.own => self.follow(after, Vec::new(), line),
                        _ => continue,
                    }
                    rest = behind_path(after);
                }
                (TokenTree::Group(group), _) => self.walk(group.stream(), module),
                _ => {}
            }
        }
    }

    /// Skips an item, and records the module that it declares.
    fn skip<'a>(&mut self, item: &'a [TokenTree], module: &[String]) -> &'a [TokenTree] {
        if let [TokenTree::Ident(word), TokenTree::Ident(name), ..] = item
            && word == "mod"
        {
            self.source.tests.push(joined(module, &name.to_string()));
        }
        let ends = |token: &TokenTree| match token {
            TokenTree::Punct(mark) => mark.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        let length = item.iter().position(ends).map_or(item.len(), |last| last + 1);
        &item[length..]
    }

    /// Follows a path from the module reached so far, and records where it ends. A group has several ends.
    fn follow(&mut self, after: &[TokenTree], mut reached: Vec<String>, line: usize) {
        let [TokenTree::Punct(one), TokenTree::Punct(two), next, rest @ ..] = after else {
            return self.note(reached, line);
        };
        if (one.as_char(), two.as_char()) != (':', ':') {
            return self.note(reached, line);
        }
        match next {
            TokenTree::Ident(name) if name == "super" => self.follow(rest, parent(&reached), line),
            TokenTree::Ident(name) if name == "self" => self.follow(rest, reached, line),
            TokenTree::Ident(name) => {
                reached.push(name.to_string());
                self.follow(rest, reached, line);
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
                for path in tokens.split(is_comma) {
                    let [TokenTree::Ident(first), rest @ ..] = path else { continue };
                    let mut reached = reached.clone();
                    if first != "self" {
                        reached.push(first.to_string());
                    }
                    self.follow(rest, reached, first.span().start().line);
                }
            }
            _ => self.note(reached, line),
        }
    }

    fn note(&mut self, to: Vec<String>, line: usize) {
        if !to.is_empty() {
            self.source.paths.push(Used { line, to });
        }
    }
}

/// The tokens after the rest of a path.
fn behind_path(tokens: &[TokenTree]) -> &[TokenTree] {
    match tokens {
        [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Ident(_), rest @ ..]
            if (one.as_char(), two.as_char()) == (':', ':') =>
        {
            behind_path(rest)
        }
        tokens => tokens,
    }
}

/// Whether an attribute is `cfg(test)`.
fn is_for_tests(attribute: &TokenStream) -> bool {
    attribute.to_string().replace(' ', "") == "cfg(test)"
}

fn joined(module: &[String], name: &str) -> Vec<String> {
    [module, &[name.to_owned()]].concat()
}

fn parent(module: &[String]) -> Vec<String> {
    module.split_last().map_or_else(Vec::new, |(_, parent)| parent.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths in a source, with their lines.
    fn named(module: &[&str], text: &str) -> Vec<(usize, String)> {
        let module: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
        let source = read(text, &module, "own", "core_of_all");
        source.paths.into_iter().map(|used| (used.line, used.to.join("::"))).collect()
    }

    #[track_caller]
    fn check(module: &[&str], text: &str, expected: &[(usize, &str)]) {
        let found = named(module, text);
        let found: Vec<(usize, &str)> = found.iter().map(|(line, to)| (*line, &**to)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_form_of_path_is_found() {
        check(
            &["a", "b"],
            "use crate::c::D;\nuse crate::{e, f::G};",
            &[(1, "c::D"), (2, "e"), (2, "f::G")],
        );
        check(&["a", "b"], "use super::c;\nuse super::super::d::E;", &[(1, "a::c"), (2, "d::E")]);
        check(&["a"], "use super::{c, d};\nuse super::e::*;", &[(1, "c"), (1, "d"), (2, "e")]);
        check(
            &["a"],
            "use crate::c::{self, D, e::{F, G as H}};",
            &[(1, "c"), (1, "c::D"), (1, "c::e::F"), (1, "c::e::G")],
        );
        check(
            &["a"],
            "use core_of_all::c;\nuse core_of_all::{\n    d, e,\n};",
            &[(1, "core_of_all::c"), (3, "core_of_all::d"), (3, "core_of_all::e")],
        );
        check(
            &["a"],
            "fn f() { g(crate::c::D) }\n#[h(i = crate::e::J)]\nstruct K;",
            &[(1, "c::D"), (2, "e::J")],
        );
        check(
            &["a"],
            "m! { crate::c::d() }\nmod n { use super::super::e; }",
            &[(1, "c::d"), (2, "e")],
        );
        check(&["main"], "fn main() { own::c::d() }", &[(1, "c::d")]);
    }

    #[test]
    fn tests_comments_and_visibilities_do_not_count() {
        let text = "//! [`crate::c`]\npub(crate) struct D;\n#[cfg(test)]\nuse crate::{e, f};\n\
                    #[cfg(test)]\nmod tests {\n    use crate::g;\n}\nuse crate::h;";
        check(&["a"], text, &[(9, "h")]);
        let declared = read("#[cfg(test)]\nmod tests;", &["a".to_owned()], "own", "core_of_all");
        assert_eq!(declared.tests, [["a", "tests"]]);
    }

    #[test]
    fn the_path_of_a_file_gives_its_module() {
        for (place, expected) in
            [("lib.rs", &[][..]), ("a.rs", &["a"]), ("a/mod.rs", &["a"]), ("a/b.rs", &["a", "b"])]
        {
            assert_eq!(module(Path::new(place)), expected, "{place}");
        }
    }
}
