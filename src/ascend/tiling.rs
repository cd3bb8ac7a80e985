//! The structs of `kernels/tiling.h`, as the host fills them in: every field is an i64.

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    pub image: i64,
    pub images: i64,
    pub first: i64,
    pub positions: i64,
}

impl Chunk {
    /// R: rows of the chunk's matrices.
    pub fn rows(&self) -> i64 {
        self.images * self.positions
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SampleTiling {
    pub chunk: Chunk,
    pub channels: i64,
    pub height: i64,
    pub width: i64,
    pub out_width: i64,
    pub out_plane: i64,
    pub kernel_width: i64,
    pub taps: i64,
    pub stride_h: i64,
    pub stride_w: i64,
    pub pad_top: i64,
    pub pad_left: i64,
    pub dilation_h: i64,
    pub dilation_w: i64,
    pub groups: i64,
    pub deformable_groups: i64,
    pub x_image: i64,
    pub x_deformable: i64,
    pub x_row: i64,
    pub x_column: i64,
    pub accumulate_offset: i64,
    pub accumulate_mask: i64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayoutTiling {
    pub batch: i64,
    pub rows: i64,
    pub columns: i64,
    pub accumulate: i64,
}

impl LayoutTiling {
    /// `batch` matrices transposed. Where that moves nothing it is one long copy, which the kernels do best.
    pub fn transpose(batch: i64, rows: i64, columns: i64) -> Self {
        match rows == 1 || columns == 1 {
            true => Self { batch: 1, rows: 1, columns: batch * rows * columns, accumulate: 0 },
            false => Self { batch, rows, columns, accumulate: 0 },
        }
    }
}

pub const BIAS_ABSENT: i64 = 0;
pub const BIAS_OF_TENSORS: i64 = 1;
pub const BIAS_FLOAT: i64 = 2;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct OutputTiling {
    pub chunk: Chunk,
    pub outputs: i64,
    pub out_plane: i64,
    pub bias: i64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GradBiasTiling {
    pub batch: i64,
    pub outputs: i64,
    pub out_plane: i64,
    pub accumulate: i64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct DepthwiseTiling {
    pub channels: i64,
    pub multiplier: i64,
    pub taps: i64,
    pub rows: i64,
    pub accumulate: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    const HEADER: &str = include_str!("kernels/tiling.h");

    /// Size of a struct of the header and its fields with their offsets. Fields are one to a line.
    fn declared(name: &str) -> (usize, Vec<(String, usize)>) {
        let start = HEADER.find(&format!("struct {name} {{")).unwrap_or_else(|| panic!("the header has no {name}"));
        let body = HEADER[start..].split_once('{').unwrap().1.split_once("};").unwrap().0;
        let (mut fields, mut offset) = (Vec::new(), 0);
        for line in body.lines().map(|line| line.split("//").next().unwrap().trim()).filter(|line| !line.is_empty()) {
            let (kind, field) = line.trim_end_matches(';').split_once(' ').unwrap();
            fields.push((field.to_string(), offset));
            offset += match kind {
                "int64_t" => 8,
                "Chunk" => declared("Chunk").0,
                other => panic!("{name}.{field} is a {other}"),
            };
        }
        (offset, fields)
    }

    macro_rules! same {
        ($name:ident: $($field:ident),*) => {{
            let mirrored = vec![$((stringify!($field).to_string(), offset_of!($name, $field)),)*];
            assert_eq!(declared(stringify!($name)), (size_of::<$name>(), mirrored));
        }};
    }

    #[test]
    fn structs_are_those_of_the_header() {
        same!(Chunk: image, images, first, positions);
        same!(SampleTiling: chunk, channels, height, width, out_width, out_plane, kernel_width, taps, stride_h, stride_w,
            pad_top, pad_left, dilation_h, dilation_w, groups, deformable_groups, x_image, x_deformable, x_row, x_column,
            accumulate_offset, accumulate_mask);
        same!(LayoutTiling: batch, rows, columns, accumulate);
        same!(OutputTiling: chunk, outputs, out_plane, bias);
        same!(GradBiasTiling: batch, outputs, out_plane, accumulate);
        same!(DepthwiseTiling: channels, multiplier, taps, rows, accumulate);
    }

    #[test]
    fn constants_are_those_of_the_header() {
        for (name, value) in
            [("kBiasAbsent", BIAS_ABSENT), ("kBiasOfTensors", BIAS_OF_TENSORS), ("kBiasFloat", BIAS_FLOAT)]
        {
            assert!(HEADER.contains(&format!("{name} = {value};")), "{name} is not {value}");
        }
    }

    #[test]
    fn a_transposition_that_moves_nothing_is_a_copy() {
        let copy = LayoutTiling { batch: 1, rows: 1, columns: 24, accumulate: 0 };
        assert_eq!(LayoutTiling::transpose(4, 6, 1), copy);
        assert_eq!(LayoutTiling::transpose(4, 1, 6), copy);
        assert_eq!(LayoutTiling::transpose(4, 3, 2), LayoutTiling { batch: 4, rows: 3, columns: 2, accumulate: 0 });
    }
}
