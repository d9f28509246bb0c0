//! The first directory of a TIFF, which EXIF is one too: tags and their whole numbers.

/// The most entries that are looked at: as many as a classic TIFF can have.
const MOST_ENTRIES: u64 = 65_535;

/// The entries of a directory, in either order of bytes, of classic TIFF or `BigTIFF`.
#[derive(Clone, Copy)]
pub(in crate::preprocessing::decode) struct Directory<'a> {
    file: &'a [u8],
    entries: &'a [u8],
    order: Order,
    is_big: bool,
}

/// In which order the bytes of a number stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::preprocessing::decode) enum Order {
    LeastFirst,
    MostFirst,
}

/// The whole numbers of an entry, all of which are in the file.
#[derive(Clone, Copy)]
pub(in crate::preprocessing::decode) struct Numbers<'a> {
    bytes: &'a [u8],
    size: usize,
    is_signed: bool,
    order: Order,
}

/// Whether a file begins as a TIFF does.
pub(in crate::preprocessing::decode) fn is_tiff(file: &[u8]) -> bool {
    // Two orders of bytes, and a version of 42 or, for `BigTIFF`, 43.
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| file.starts_with(*magic))
}

impl<'a> Directory<'a> {
    /// Finds the first directory; `None` where there is none, or it ends behind the file.
    pub(in crate::preprocessing::decode) fn first(file: &'a [u8]) -> Option<Self> {
        let order = match file.get(..2)? {
            b"II" => Order::LeastFirst,
            b"MM" => Order::MostFirst,
            _ => return None,
        };
        let is_big = order.read(file.get(2..4)?) == 43;
        let at = if is_big { file.get(8..16)? } else { file.get(4..8)? };
        let directory = file.get(usize::try_from(order.read(at)).ok()?..)?;
        let (count, rest) = directory.split_at_checked(if is_big { 8 } else { 2 })?;
        let length = order.read(count).min(MOST_ENTRIES) * if is_big { 20 } else { 12 };
        let entries = rest.get(..usize::try_from(length).ok()?).unwrap_or(rest);
        Some(Self { file, entries, order, is_big })
    }

    /// In which order the bytes of its numbers stand, and those of the samples.
    pub(in crate::preprocessing::decode) fn order(&self) -> Order {
        self.order
    }

    /// The first number of a tag; of tags that are repeated the last counts.
    pub(in crate::preprocessing::decode) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag)?.get(0)
    }

    /// The numbers of a tag; `None` where it is absent, holds no whole numbers, or ends behind the file.
    pub(in crate::preprocessing::decode) fn numbers(&self, tag: u16) -> Option<Numbers<'a>> {
        let (kind, count, value) = self.entry(tag)?;
        let (size, is_signed) = match kind {
            // Bytes, and bytes of no meaning.
            1 | 7 => (1, false),
            3 => (2, false),
            // The second is a place in the file.
            4 | 13 => (4, false),
            16 | 18 => (8, false),
            6 => (1, true),
            8 => (2, true),
            9 => (4, true),
            17 => (8, true),
            _ => return None,
        };
        let length = usize::try_from(count).ok()?.checked_mul(size)?;
        let bytes = if length <= value.len() {
            &value[..length]
        } else {
            self.file.get(usize::try_from(self.order.read(value)).ok()?..)?.get(..length)?
        };
        Some(Numbers { bytes, size, is_signed, order: self.order })
    }

    /// The bytes of a tag.
    pub(in crate::preprocessing::decode) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.numbers(tag).filter(|numbers| numbers.size == 1).map(|numbers| numbers.bytes)
    }

    /// The type of a tag's values, how many there are, and where they are: in the entry, if they fit.
    fn entry(&self, tag: u16) -> Option<(u64, u64, &'a [u8])> {
        let (size, count) = if self.is_big { (20, 4..12) } else { (12, 4..8) };
        let mut entries = self.entries.chunks_exact(size).rev();
        let entry = entries.find(|entry| self.order.read(&entry[..2]) == u64::from(tag))?;
        let value = &entry[count.end..];
        Some((self.order.read(&entry[2..4]), self.order.read(&entry[count]), value))
    }
}

impl Order {
    /// A number of up to eight bytes.
    fn read(self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self {
            Self::LeastFirst => bytes.iter().rev().fold(0, add),
            Self::MostFirst => bytes.iter().fold(0, add),
        }
    }
}

impl<'a> Numbers<'a> {
    /// How many there are.
    pub(in crate::preprocessing::decode) fn len(&self) -> usize {
        self.bytes.len() / self.size
    }

    /// One of them; one below 0 is as large as can be, which no tag allows.
    pub(in crate::preprocessing::decode) fn get(&self, at: usize) -> Option<u64> {
        let bytes = self.bytes.get(at.checked_mul(self.size)?..)?.get(..self.size)?;
        let number = self.order.read(bytes);
        let is_negative = self.is_signed && number >> (8 * self.size - 1) == 1;
        Some(if is_negative { u64::MAX } else { number })
    }

    /// All of them.
    pub(in crate::preprocessing::decode) fn iter(self) -> impl Iterator<Item = u64> + use<'a> {
        (0..self.len()).map_while(move |at| self.get(at))
    }
}
