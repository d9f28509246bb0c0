//! The page that compares images in a browser (`GET /`), and the API documentation (`GET /docs`).
//!
//! The program contains their files. There is no build step, and the page loads nothing from other servers.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;

use super::error::{Fault, Problem};
use super::response::asset::Asset;
use super::service::Service;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript";
const STYLE: &str = "text/css";
const DRAWING: &str = "image/svg+xml";
const PHOTOGRAPH: &str = "image/jpeg";

/// A table of names and files, each with its media type.
macro_rules! files {
    ($($name:literal: $media_type:ident = $file:literal,)*) => {
        [$(($name, Asset::new($media_type, include_bytes!($file))),)*]
    };
}

static INDEX: Asset = Asset::new(HTML, include_bytes!("index.html"));
static DOCS: Asset = Asset::new(HTML, include_bytes!("docs.html"));
static FILES: [(&str, Asset); 63] = files! {
    "address.js": SCRIPT = "scripts/address.js",
    "api.js": SCRIPT = "scripts/api.js",
    "app.js": SCRIPT = "scripts/app.js",
    "calibration.js": SCRIPT = "scripts/calibration.js",
    "charts/chart.js": SCRIPT = "scripts/charts/chart.js",
    "docs.js": SCRIPT = "scripts/docs.js",
    "elements.js": SCRIPT = "scripts/elements.js",
    "inputs/choice.js": SCRIPT = "scripts/inputs/choice.js",
    "inputs/images.js": SCRIPT = "scripts/inputs/images.js",
    "inputs/threshold.js": SCRIPT = "scripts/inputs/threshold.js",
    "inputs/transfer.js": SCRIPT = "scripts/inputs/transfer.js",
    "model.js": SCRIPT = "scripts/model.js",
    "charts/rates.js": SCRIPT = "scripts/charts/rates.js",
    "samples.js": SCRIPT = "scripts/samples.js",
    "terms.js": SCRIPT = "scripts/terms.js",
    "views/about.js": SCRIPT = "scripts/views/about.js",
    "views/answer.js": SCRIPT = "scripts/views/answer.js",
    "views/changes.js": SCRIPT = "scripts/views/changes.js",
    "views/changes/alignment.js": SCRIPT = "scripts/views/changes/alignment.js",
    "views/changes/areas.js": SCRIPT = "scripts/views/changes/areas.js",
    "views/changes/detail.js": SCRIPT = "scripts/views/changes/detail.js",
    "views/changes/distances.js": SCRIPT = "scripts/views/changes/distances.js",
    "views/changes/found.js": SCRIPT = "scripts/views/changes/found.js",
    "views/changes/layers.js": SCRIPT = "scripts/views/changes/layers.js",
    "views/changes/npy.js": SCRIPT = "scripts/views/changes/npy.js",
    "views/changes/picture.js": SCRIPT = "scripts/views/changes/picture.js",
    "views/changes/regions.js": SCRIPT = "scripts/views/changes/regions.js",
    "views/changes/request.js": SCRIPT = "scripts/views/changes/request.js",
    "views/changes/swipe.js": SCRIPT = "scripts/views/changes/swipe.js",
    "views/command.js": SCRIPT = "scripts/views/command.js",
    "views/familiarity.js": SCRIPT = "scripts/views/familiarity.js",
    "views/many.js": SCRIPT = "scripts/views/many.js",
    "views/matrix.js": SCRIPT = "scripts/views/matrix.js",
    "views/timings.js": SCRIPT = "scripts/views/timings.js",
    "views/two.js": SCRIPT = "scripts/views/two.js",
    "views/two/explanation.js": SCRIPT = "scripts/views/two/explanation.js",
    "views/two/overlay.js": SCRIPT = "scripts/views/two/overlay.js",
    "style.css": STYLE = "style.css",
    "icon.svg": DRAWING = "icon.svg",
    "samples/board_after.jpg": PHOTOGRAPH = "../../../samples/board_after.jpg",
    "samples/board_before.jpg": PHOTOGRAPH = "../../../samples/board_before.jpg",
    "samples/a_1.jpg": PHOTOGRAPH = "../../../samples/a_1.jpg",
    "samples/a_2.jpg": PHOTOGRAPH = "../../../samples/a_2.jpg",
    "samples/cream_1.jpg": PHOTOGRAPH = "../../../samples/cream_1.jpg",
    "samples/cream_2.jpg": PHOTOGRAPH = "../../../samples/cream_2.jpg",
    "samples/juice_1.jpg": PHOTOGRAPH = "../../../samples/juice_1.jpg",
    "samples/juice_2.jpg": PHOTOGRAPH = "../../../samples/juice_2.jpg",
    "samples/ka_1.jpg": PHOTOGRAPH = "../../../samples/ka_1.jpg",
    "samples/ka_2.jpg": PHOTOGRAPH = "../../../samples/ka_2.jpg",
    "samples/ma_1.jpg": PHOTOGRAPH = "../../../samples/ma_1.jpg",
    "samples/ma_2.jpg": PHOTOGRAPH = "../../../samples/ma_2.jpg",
    "samples/yoghurt_1.jpg": PHOTOGRAPH = "../../../samples/yoghurt_1.jpg",
    "samples/yoghurt_2.jpg": PHOTOGRAPH = "../../../samples/yoghurt_2.jpg",
    "samples/shelf_after.jpg": PHOTOGRAPH = "../../../samples/shelf_after.jpg",
    "samples/shelf_before.jpg": PHOTOGRAPH = "../../../samples/shelf_before.jpg",
    "samples/s1_1.jpg": PHOTOGRAPH = "../../../samples/s1_1.jpg",
    "samples/s1_2.jpg": PHOTOGRAPH = "../../../samples/s1_2.jpg",
    "samples/s5_1.jpg": PHOTOGRAPH = "../../../samples/s5_1.jpg",
    "samples/s5_2.jpg": PHOTOGRAPH = "../../../samples/s5_2.jpg",
    "samples/s9_1.jpg": PHOTOGRAPH = "../../../samples/s9_1.jpg",
    "samples/s9_2.jpg": PHOTOGRAPH = "../../../samples/s9_2.jpg",
    "samples/s13_1.jpg": PHOTOGRAPH = "../../../samples/s13_1.jpg",
    "samples/s13_2.jpg": PHOTOGRAPH = "../../../samples/s13_2.jpg",
};

/// The routes of both pages and of their files.
pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/", get(async |headers: HeaderMap| INDEX.respond(&headers)))
        .route("/docs", get(async |headers: HeaderMap| DOCS.respond(&headers)))
        .route("/page/{*file}", get(file))
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let (_, asset) = FILES.iter().find(|(known, _)| *known == name).ok_or(Fault::NotFound)?;
    Ok(asset.respond(&headers))
}
