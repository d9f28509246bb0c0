//! The images of the load: small faces, and photographs made from them.
//!
//! A photograph is a face that is enlarged, tinted and grained with a fixed seed, until it compresses like a real one:
//! to about 70 KB for VGA and 2.5 MB for 12 megapixels. Photographs are made once and stored with the build's
//! products.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::GrayImage;
use image::imageops::{FilterType, resize};
use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};

const QUALITY: u8 = 90;

/// The kind of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The fixtures: grey, 92x112, some 3 KB.
    Face,
    /// 480x640, in colour.
    Vga,
    /// 3000x4000, in colour.
    TwelveMegapixels,
    /// 960x1280, in colour: a face a third as wide as the image.
    Selfie,
    /// 3000x4000, likewise.
    LargeSelfie,
}

/// The parameters of a photograph.
struct Recipe {
    width: u32,
    height: u32,
    /// The grain's largest deviation, in levels of a byte.
    grain: i32,
    /// The number of photographs.
    count: usize,
    /// Whether the face takes up a third of the width, before a background; else it fills the image.
    has_background: bool,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Face, Self::Vga, Self::TwelveMegapixels];
    /// The kinds for a model that finds faces.
    pub(crate) const WITH_FACES: [Self; 3] = [Self::Face, Self::Selfie, Self::LargeSelfie];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::Vga => "vga",
            Self::TwelveMegapixels => "12mp",
            Self::Selfie => "selfie",
            Self::LargeSelfie => "12mp-selfie",
        }
    }

    /// Whether decoding takes most of the time.
    pub(crate) fn is_large(self) -> bool {
        matches!(self, Self::TwelveMegapixels | Self::LargeSelfie)
    }

    /// The uploads, all JPEG, in a fixed order.
    pub(crate) fn uploads(self) -> io::Result<Vec<Vec<u8>>> {
        let recipe = match self {
            Self::Face => return faces()?.iter().map(fs::read).collect(),
            Self::Vga => Recipe::new(480, 640, 8),
            Self::TwelveMegapixels => Recipe::new(3000, 4000, 4),
            Self::Selfie => Recipe { has_background: true, ..Recipe::new(960, 1280, 8) },
            Self::LargeSelfie => Recipe { has_background: true, ..Recipe::new(3000, 4000, 4) },
        };
        let faces = faces()?;
        faces.iter().take(recipe.count).map(|face| recipe.kept(face)).collect()
    }
}

/// The sample faces, by name.
fn faces() -> io::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut faces = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .filter(|path| path.as_ref().map_or(true, |path| is_face(path)))
        .collect::<io::Result<Vec<_>>>()?;
    faces.sort();
    Ok(faces)
}

/// Whether a sample is a portrait: these are named after the person and the image, such as `s5_1.jpg`.
fn is_face(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let person = name.strip_prefix('s').and_then(|rest| rest.strip_suffix(".jpg"));
    person.is_some_and(|person| person.starts_with(|letter: char| letter.is_ascii_digit()))
}

impl Recipe {
    fn new(width: u32, height: u32, count: usize) -> Self {
        Self { width, height, grain: 7, count, has_background: false }
    }

    /// The photograph from an earlier run, or a new one.
    fn kept(&self, face: &Path) -> io::Result<Vec<u8>> {
        let Self { width, height, grain, has_background, .. } = self;
        let stem = face.file_stem().unwrap_or_default().display();
        let kind = if *has_background { "selfie" } else { "face" };
        let name = format!("{stem}-{kind}-{width}x{height}-{grain}-{QUALITY}.jpg");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if file.is_file() {
            return fs::read(file);
        }
        let grey = image::open(face).map_err(io::Error::other)?.into_luma8();
        let upload = self.make(&grey)?;
        fs::write(file, &upload)?;
        Ok(upload)
    }

    fn make(&self, face: &GrayImage) -> io::Result<Vec<u8>> {
        let mut chance = fastrand::Rng::with_seed(7);
        let enlarged = if self.has_background {
            self.before_background(face)
        } else {
            resize(face, self.width, self.height, FilterType::CatmullRom)
        };
        let mut rgb = Vec::with_capacity(enlarged.len() * 3);
        for (column, row, light) in enlarged.enumerate_pixels() {
            let light = i32::from(light.0[0]);
            let grain = chance.i32(-self.grain..=self.grain);
            // Warm at the top, cold at the bottom, and weaker to the right, so that the chroma changes everywhere.
            let warm = light * 64 / 255 * (share(row, self.height) - 50) / 50;
            let tint = warm * (100 - share(column, self.width)) / 100;
            rgb.extend([light + tint, light, light - tint].map(|channel| byte(channel + grain)));
        }
        let (width, height) = (self.width as usize, self.height as usize);
        compress(&rgb, width, height, PixelFormat::Rgb, QUALITY, Subsampling::S420)
            .map_err(io::Error::other)
    }

    /// The face in the middle of a background that changes slowly.
    fn before_background(&self, face: &GrayImage) -> GrayImage {
        let mut chance = fastrand::Rng::with_seed(8);
        let coarse = GrayImage::from_fn(6, 8, |_, _| image::Luma([chance.u8(60..200)]));
        let mut all = resize(&coarse, self.width, self.height, FilterType::CatmullRom);
        let width = self.width * 35 / 100;
        let height = width * face.height() / face.width();
        let face = resize(face, width, height, FilterType::CatmullRom);
        let [left, top] =
            [self.width - width, self.height - height].map(|rest| i64::from(rest / 2));
        image::imageops::replace(&mut all, &face, left, top);
        all
    }
}

/// The position along a side, in percent.
fn share(position: u32, side: u32) -> i32 {
    i32::try_from(position * 100 / side).unwrap_or(0)
}

fn byte(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(0)
}
