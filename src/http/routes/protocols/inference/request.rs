//! Requests for an inference: JSON, and a tensor in binary that may follow it.

use std::borrow::Cow;

use axum::http::HeaderMap;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

use super::OUTPUT;
use super::tensor::{Data, Tensor};
use crate::http::error::{Fault, Problem};
use crate::http::request::json::{self, Json, unless_null};
use crate::http::request::mistake::malformed;
use crate::http::request::received::{Content, FromContent, JSON_LENGTH, Media};
use crate::ops::settings::Server;

/// The path of a tensor's size in its input, for error messages.
const SIZE: &str = "parameters.binary_data_size";

/// A parsed request.
pub(crate) struct ToInfer {
    /// The client's name for the request, which the response repeats.
    pub(super) id: Option<String>,
    pub(super) tensor: Tensor,
    /// Whether the response has the embeddings in binary.
    pub(super) is_binary: bool,
}

/// A request. If a tensor is in binary, it follows the JSON.
#[derive(Deserialize, ToSchema)]
#[schema(as = InferenceRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct Body<'a> {
    /// A name for the request. The response repeats it.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<String>)]
    id: Option<Json<'a>>,
    /// Ignored, because the path names the model.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    #[expect(dead_code, reason = "the client of KServe repeats the name here")]
    model_name: IgnoredAny,
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<RequestParameters>)]
    parameters: Option<Json<'a>>,
    /// One input.
    #[serde(borrow)]
    #[schema(value_type = Vec<Input>, min_items = 1, max_items = 1)]
    inputs: Json<'a>,
    /// At most one output.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<Vec<Output>>, max_items = 1)]
    outputs: Option<Json<'a>>,
}

/// Other parameters are ignored.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = InferenceParameters)]
struct RequestParameters<'a> {
    /// Whether the embeddings of the response are in binary.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<bool>)]
    binary_data_output: Option<Json<'a>>,
}

/// Images: `image`, encoded images, or `pixels`, their pixels after the preprocessing.
#[derive(Deserialize, ToSchema)]
#[schema(as = InferenceInput)]
#[serde(deny_unknown_fields)]
struct Input<'a> {
    /// `image` or `pixels`.
    #[serde(borrow)]
    #[schema(value_type = String)]
    name: Json<'a>,
    /// `[n]` or `[n, 1]` of `image`; `[n, channels, height, width]` of `pixels`.
    #[serde(borrow)]
    #[schema(value_type = Vec<usize>)]
    shape: Json<'a>,
    /// `BYTES` of `image`, `FP32` of `pixels`.
    #[serde(borrow)]
    #[schema(value_type = String)]
    datatype: Json<'a>,
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<InputParameters>)]
    parameters: Option<Json<'a>>,
    /// The elements, in nested lists or in one: images as base64, pixels as numbers. Absent if they are in binary.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    data: Option<Json<'a>>,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = InferenceInputParameters)]
#[serde(deny_unknown_fields)]
struct InputParameters<'a> {
    /// The bytes of the tensor, which follows the JSON.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<usize>)]
    binary_data_size: Option<Json<'a>>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = InferenceOutput)]
#[serde(deny_unknown_fields)]
struct Output<'a> {
    /// `embedding`
    #[serde(borrow)]
    #[schema(value_type = String)]
    name: Json<'a>,
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<OutputParameters>)]
    parameters: Option<Json<'a>>,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = InferenceOutputParameters)]
#[serde(deny_unknown_fields)]
struct OutputParameters<'a> {
    /// Whether this output is in binary.
    #[serde(default, borrow, deserialize_with = "unless_null")]
    #[schema(value_type = Option<bool>)]
    binary_data: Option<Json<'a>>,
}

impl ToInfer {
    /// Reads a request with at most `most` images. `binary` follows the JSON.
    pub(crate) fn from_parts(json: &[u8], binary: Bytes, most: usize) -> Result<Self, Problem> {
        let Body { id, parameters, inputs, outputs, .. } = json::body(json)?;
        let id = id.map(|id| id.text("the value must be text")).transpose();
        let RequestParameters { binary_data_output } = read_parameters(parameters)?;
        let by_request = truth(binary_data_output, "parameters.binary_data_output")?;
        let by_output = outputs.map(output).transpose()?.flatten();
        Ok(Self {
            id: id.map_err(|fault| fault.of("id"))?.map(Cow::into_owned),
            tensor: input(inputs, binary, most)?,
            is_binary: by_output.or(by_request).unwrap_or(false),
        })
    }
}

/// Reads the member `parameters` of an object.
fn read_parameters<'de, T: Deserialize<'de> + Default>(
    parameters: Option<Json<'de>>,
) -> Result<T, Problem> {
    let Some(parameters) = parameters else { return Ok(T::default()) };
    parameters.object().map_err(|problem: Problem| problem.within("parameters"))
}

/// Reads the only input.
fn input(inputs: Json, binary: Bytes, most: usize) -> Result<Tensor, Problem> {
    let inputs = inputs.list("`inputs` must be a list").map_err(|fault| fault.of("inputs"))?;
    let [input] = inputs[..] else {
        return Err(malformed("a request must have one input: image or pixels").of("inputs"));
    };
    read_input(input, binary, most).map_err(|problem| problem.within("inputs[0]"))
}

fn read_input(input: Json, binary: Bytes, most: usize) -> Result<Tensor, Problem> {
    let Input { name, shape, datatype, parameters, data } = input.object()?;
    let text = |json: Json, name: &str| {
        let text = json.text("the value must be text").map(Cow::into_owned);
        text.map_err(|fault| fault.of(name))
    };
    let (name, datatype) = (text(name, "name")?, text(datatype, "datatype")?);
    let shape = axes(shape).map_err(|fault| fault.of("shape"))?;
    let InputParameters { binary_data_size: size } = read_parameters(parameters)?;
    let size = size.map(|size| size.plain::<usize>("the value must be a whole number"));
    let data = match (data, size.transpose().map_err(|fault| fault.of(SIZE))?) {
        (Some(data), None) if binary.is_empty() => Data::Json(data),
        (None, Some(size)) if size == binary.len() => Data::Binary(binary),
        (None, Some(size)) => {
            let there = binary.len();
            let why = format!("the tensor has {size} bytes, but {there} follow the JSON");
            return Err(malformed(why).of(SIZE));
        }
        (None, None) => return Err(Fault::PartMissing.of("data")),
        (Some(_), _) => {
            return Err(malformed("the tensor must be either in `data` or in binary").of("data"));
        }
    };
    Tensor::read(&name, &datatype, &shape, data, most)
}

fn axes(shape: Json) -> Result<Vec<usize>, Fault> {
    const FORM: &str = "`shape` must be a list of whole numbers";
    shape.list(FORM)?.into_iter().map(|axis| axis.plain(FORM)).collect()
}

/// Reads the only output: whether it is in binary, if it says so.
fn output(outputs: Json) -> Result<Option<bool>, Problem> {
    let outputs = outputs.list("`outputs` must be a list").map_err(|fault| fault.of("outputs"))?;
    match outputs[..] {
        [] => Ok(None),
        [output] => read_output(output).map_err(|problem| problem.within("outputs[0]")),
        _ => Err(malformed("the model has one output: embedding").of("outputs")),
    }
}

fn read_output(output: Json) -> Result<Option<bool>, Problem> {
    let Output { name, parameters } = output.object()?;
    if name.text("the value must be text").map_err(|fault| fault.of("name"))? != OUTPUT {
        return Err(malformed("the model has one output: embedding").of("name"));
    }
    let OutputParameters { binary_data } = read_parameters(parameters)?;
    truth(binary_data, "parameters.binary_data")
}

fn truth(json: Option<Json>, name: &str) -> Result<Option<bool>, Problem> {
    let truth = json.map(|json| json.plain("the value must be true or false"));
    truth.transpose().map_err(|fault| fault.of(name))
}

impl FromContent for ToInfer {
    /// Clients send no media type, or any, so it is ignored.
    fn media(headers: &HeaderMap) -> Result<Media, Fault> {
        let mut lengths = headers.get_all(JSON_LENGTH).into_iter();
        let Some(length) = lengths.next() else { return Ok(Media::Tensor(None)) };
        let is_digits = length.as_bytes().iter().all(u8::is_ascii_digit);
        match length.to_str().ok().and_then(|length| length.parse().ok()) {
            Some(length) if is_digits && lengths.next().is_none() => {
                Ok(Media::Tensor(Some(length)))
            }
            _ => Err(Fault::QueryInvalid(
                "the Inference-Header-Content-Length header must be one whole number of bytes"
                    .to_owned(),
            )),
        }
    }

    fn read(content: Content, settings: &Server) -> Result<Self, Problem> {
        match content {
            Content::Tensor { json, binary } => {
                Self::from_parts(&json, binary, settings.max_images.get())
            }
            _ => Err(Fault::MediaTypeUnsupported("send JSON that a tensor may follow").into()),
        }
    }

    fn images(&self) -> usize {
        self.tensor.images()
    }
}
