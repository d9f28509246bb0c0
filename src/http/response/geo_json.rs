//! Regions as `GeoJSON` (RFC 7946). The coordinates are pixels, because images have no place on Earth.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use siamese_core::changes::{Kind, Region, RegionDistance};
use utoipa::ToSchema;

/// The media type.
pub(crate) const GEO_JSON: &str = "application/geo+json";

/// Regions as features of `GeoJSON`. The coordinates are pixels of the second image, rows from the top.
#[derive(Serialize, ToSchema)]
#[schema(as = FeatureCollection)]
pub(crate) struct Features {
    r#type: &'static str,
    features: Vec<Feature>,
}

#[derive(Serialize, ToSchema)]
struct Feature {
    r#type: &'static str,
    geometry: Polygon,
    properties: Properties,
}

#[derive(Serialize, ToSchema)]
struct Polygon {
    r#type: &'static str,
    /// One ring, whose last point is the first.
    coordinates: [Vec<[f64; 2]>; 1],
}

#[derive(Serialize, ToSchema)]
#[schema(as = RegionProperties)]
struct Properties {
    kind: Kind,
    area: f64,
    distance: RegionDistance,
}

impl Features {
    pub(crate) fn of(regions: &[Region]) -> Self {
        let feature = |region: &Region| {
            let mut ring = region.polygon.clone();
            ring.extend(region.polygon.first());
            Feature {
                r#type: "Feature",
                geometry: Polygon { r#type: "Polygon", coordinates: [ring] },
                properties: Properties {
                    kind: region.kind,
                    area: region.area,
                    distance: region.distance,
                },
            }
        };
        Self { r#type: "FeatureCollection", features: regions.iter().map(feature).collect() }
    }
}

impl IntoResponse for Features {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("text keys and finite numbers");
        ([(header::CONTENT_TYPE, GEO_JSON)], body).into_response()
    }
}
