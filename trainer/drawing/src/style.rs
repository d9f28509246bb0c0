//! The style of drawings.

/// Colours by name: for the light theme and for the dark theme.
pub(super) const PALETTE: [(&str, &str, &str); 13] = [
    ("ground", "#ffffff", "#15181e"),
    ("raised", "#f5f6f8", "#1e232b"),
    ("ink", "#1f2937", "#e5e7eb"),
    ("quiet", "#6b7280", "#9aa3b2"),
    ("grid", "#e5e7eb", "#2b313c"),
    ("axis", "#9ca3af", "#5b6472"),
    ("accent", "#1d4ed8", "#7aa2ff"),
    ("same", "#0f766e", "#2dd4bf"),
    ("different", "#d97706", "#fbbf24"),
    ("different-line", "#b45309", "#f59e0b"),
    ("alarm", "#b91c1c", "#f87171"),
    ("frame", "#d1d5db", "#3b4350"),
    ("seen", "#7c3aed", "#c4a5ff"),
];

/// The style of every drawing; each hue has one meaning.
pub const STYLE: &str = "\
svg text{font:13px system-ui,'Segoe UI','DejaVu Sans',Helvetica,sans-serif;fill:var(--ink)}\
svg .title{font-size:16px;font-weight:600}\
svg .note{fill:var(--quiet);font-size:12px}\
svg .tick{fill:var(--quiet);font-size:12px}\
svg .halo{font-weight:600;paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}\
svg .middle{text-anchor:middle}svg .end{text-anchor:end}\
svg .grid{stroke:var(--grid);stroke-width:1}\
svg .axis{stroke:var(--axis);stroke-width:1}\
svg .curve{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}\
svg .second{fill:none;stroke:var(--seen);stroke-width:2;stroke-linejoin:round}\
svg .whisker{fill:none;stroke:var(--accent);stroke-width:1.5}\
svg .band{fill:var(--accent);fill-opacity:.15}\
svg .band-second{fill:var(--seen);fill-opacity:.15}\
svg .mark-second{fill:var(--ground);stroke:var(--seen);stroke-width:2}\
svg .bar{stroke:var(--ink);stroke-width:2.5}\
svg .guide{fill:none;stroke:var(--quiet);stroke-width:1;stroke-dasharray:4 4}\
svg .same{fill:var(--same);fill-opacity:.3;stroke:var(--same);stroke-width:1.5;stroke-linejoin:round}\
svg .different{fill:var(--different);fill-opacity:.3;stroke:var(--different-line);stroke-width:1.5;stroke-linejoin:round}\
svg .threshold{stroke:var(--alarm);stroke-width:2}\
svg .mark{fill:var(--ground);stroke:var(--accent);stroke-width:2}\
svg .mark-threshold{fill:var(--alarm);stroke:var(--ground);stroke-width:1.5}\
svg .wrong{fill:none;stroke:var(--alarm);stroke-width:2}\
svg .right{fill:none;stroke:var(--frame);stroke-width:1}\
svg .error{fill:var(--alarm)}";

/// Returns the palette as CSS variables for both themes.
pub fn variables() -> String {
    let of = |dark: bool| {
        let one = |(name, light, night): &(&str, &str, &str)| {
            format!("--{name}:{};", if dark { night } else { light })
        };
        PALETTE.iter().map(one).collect::<String>()
    };
    format!(
        ":root{{color-scheme:light dark;{}}}@media(prefers-color-scheme:dark){{:root{{{}}}}}",
        of(false),
        of(true)
    )
}
