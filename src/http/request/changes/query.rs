//! The query of `/changes`: how two images are compared, and what is shown.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use siamese_core::changes::{Align, Rectangle};
use utoipa::{IntoParams, ToSchema};

use super::super::query::{Judging, invalid, pairs, unknown};
use crate::engine::deployment::Deployment;
use crate::engine::judgement::{ChangeJudge, Criterion};
use crate::http::error::{Fault, Problem};
use crate::http::service::{Service, pinned};

/// The most rectangles of a request.
const MOST: usize = 256;

/// How two images are compared.
#[derive(Default, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents parameters")]
pub(crate) struct Comparing {
    /// How the first image is brought onto the second. `auto` takes the simplest alignment that explains the images.
    /// `shift` and `affine` fail if there is none of their kind that is certain.
    #[param(nullable = false)]
    align: Option<Align>,
    /// Rectangles that are not compared: left, top, width and height in pixels of the second image, separated by commas,
    /// and rectangles separated by semicolons.
    #[param(nullable = false, example = "10,20,300,40;0,0,64,64")]
    ignore: Option<String>,
    /// The side of a cell, in pixels of the second image. A larger cell is faster and sees less. Without it, the model sees
    /// each pixel of an image whose sides have up to 2,080 pixels.
    #[param(exclusive_minimum = 0.0, nullable = false)]
    cell: Option<f64>,
    /// What an image in the response shows.
    #[param(nullable = false)]
    view: Option<View>,
}

/// What an image in the response shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(as = ChangesView, rename_all = "lowercase")]
pub(crate) enum View {
    /// The second image with the distance of each cell as a colour.
    #[default]
    Heat,
    /// White where cells are changed, else black.
    Mask,
}

/// The deployment that serves a request, and how it compares two images.
pub(crate) struct Changing {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) align: Align,
    pub(crate) ignored: Vec<Rectangle>,
    pub(crate) cell: Option<f64>,
    pub(crate) view: View,
    criterion: Criterion,
}

impl Changing {
    /// Creates a judge with the threshold that follows from the criterion.
    pub(crate) fn judge(&self) -> Result<ChangeJudge<'_>, Fault> {
        ChangeJudge::new(self.criterion, &self.deployment.model.card)
            .map_err(|err| Fault::OperatingPointUnsupported(err.to_string()))
    }
}

impl FromRequestParts<Arc<Service>> for Changing {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &Arc<Service>) -> Result<Self, Problem> {
        let deployment = pinned(head);
        if deployment.model.preprocessor.aligns() {
            return Err(Fault::NotForChanges.into());
        }
        let Query { judging, align, ignored, cell, view } = Query::parse(head.uri.query())?;
        let criterion = judging.criterion()?;
        let (align, ignored) = (align.unwrap_or_default(), ignored.unwrap_or_default());
        let view = view.unwrap_or_default();
        let changing = Self { deployment, align, ignored, cell, view, criterion };
        changing.judge()?;
        Ok(changing)
    }
}

/// The parameters of a query.
#[derive(Default)]
struct Query {
    judging: Judging,
    align: Option<Align>,
    ignored: Option<Vec<Rectangle>>,
    cell: Option<f64>,
    view: Option<View>,
}

impl Query {
    fn parse(query: Option<&str>) -> Result<Self, Fault> {
        let mut parsed = Self::default();
        for (key, value) in pairs(query) {
            let value = value.trim_ascii();
            let is_repeated = match &*key {
                "align" => match value.parse() {
                    Ok(align) => parsed.align.replace(align).is_some(),
                    Err(_) => {
                        return invalid("`align` must be `auto`, `none`, `shift` or `affine`");
                    }
                },
                "ignore" => parsed.ignored.replace(rectangles(value)?).is_some(),
                "cell" => match value.parse() {
                    Ok(cell) if 0.0 < cell && cell < f64::INFINITY => {
                        parsed.cell.replace(cell).is_some()
                    }
                    _ => return invalid("`cell` must be a positive number of pixels"),
                },
                "view" => {
                    let view = match value {
                        "heat" => View::Heat,
                        "mask" => View::Mask,
                        _ => return invalid("`view` must be `heat` or `mask`"),
                    };
                    parsed.view.replace(view).is_some()
                }
                _ if parsed.judging.take(&key, value)? => false,
                _ => return unknown(&key),
            };
            if is_repeated {
                return invalid(&format!("`{key}` is allowed only once"));
            }
        }
        Ok(parsed)
    }
}

/// Parses a query, and forgets it.
#[cfg(fuzzing)]
pub(crate) fn parse(query: &str) -> Result<(), Fault> {
    Query::parse(Some(query))?.judging.criterion().map(drop)
}

/// Reads `x,y,width,height;…`.
fn rectangles(text: &str) -> Result<Vec<Rectangle>, Fault> {
    let rectangle = |text: &str| {
        let numbers: Vec<f64> = text
            .split(',')
            .map(|number| number.trim_ascii().parse().ok())
            .collect::<Option<_>>()?;
        let rectangle: Rectangle = numbers.try_into().ok()?;
        let is_valid = rectangle.iter().all(|number| number.is_finite())
            && 0.0 <= rectangle[2]
            && 0.0 <= rectangle[3];
        is_valid.then_some(rectangle)
    };
    let texts = text.split(';').filter(|text| !text.trim_ascii().is_empty());
    let rectangles: Option<Vec<Rectangle>> = texts.map(rectangle).collect();
    match rectangles {
        Some(rectangles) if rectangles.len() <= MOST => Ok(rectangles),
        Some(_) => invalid(&format!("`ignore` can have at most {MOST} rectangles")),
        None => invalid(
            "`ignore` must be rectangles such as `10,20,300,40;0,0,64,64`: left, top, width and height in pixels",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parameters_are_read_together() {
        let query = "align=shift&ignore=1,2,3,4;5,6,7,8.5;&cell=16&view=mask&threshold=0.5";
        let parsed = Query::parse(Some(query)).expect("a query");
        assert_eq!(parsed.align, Some(Align::Shift));
        assert_eq!(parsed.ignored, Some(vec![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.5]]));
        assert_eq!((parsed.cell, parsed.view), (Some(16.0), Some(View::Mask)));
        assert!(matches!(parsed.judging.criterion(), Ok(Criterion::Threshold(_))));
        assert_eq!(Query::parse(Some("ignore=")).expect("a query").ignored, Some(Vec::new()));
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        let many = format!("ignore={}", "1,1,1,1;".repeat(MOST + 1));
        for query in [
            "align=rotate",
            "align=auto&align=auto",
            "ignore=1,2,3",
            "ignore=1,2,3,-4",
            "ignore=1,2,3,inf",
            "ignore=a,b,c,d",
            "cell=0",
            "cell=NaN",
            "cell=inf",
            "view=both",
            "faces=largest",
            "threshold=1&fmr=0.1",
            &many,
        ] {
            assert!(
                Query::parse(Some(query)).and_then(|query| query.judging.criterion()).is_err(),
                "{query}"
            );
        }
    }
}
