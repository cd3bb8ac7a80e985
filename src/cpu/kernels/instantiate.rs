//! Turns the kernel bodies into the functions of one row of the table.

/// `kernels!(NAME: element, isa, "target features", Vector, "row name", rows x vectors)` defines a `Kernels` row whose
/// functions are the bodies, compiled for the features.
macro_rules! kernels {
    ($row:ident: $element:ty, $isa:expr, $features:literal, $vector:ty, $name:literal, $rows:literal x $vectors:literal) => {
        pub static $row: $crate::cpu::kernels::Kernels<$element> = {
            use $crate::cpu::kernels::*;
            use $crate::cpu::simd::Simd;

            const COLUMNS: usize = $vectors * <$vector>::LANES;

            #[target_feature(enable = $features)]
            unsafe fn coordinates_of(a: &CoordinatesArgs<$element>) -> Reach<$element> {
                // SAFETY: this function's caller has promised the same.
                unsafe { coordinates::<$vector>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn sample_of(a: &SampleArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { sample::<$vector>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn multiply_of(a: &MultiplyArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { multiply::<$vector, $rows, $vectors, false>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn multiply_transposed_of(a: &MultiplyArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { multiply::<$vector, $rows, $vectors, true>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn store_planes_of(a: &StorePlanesArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { store_planes::<$vector, COLUMNS>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn planes_to_pixels_of(a: &TransposeArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { planes_to_pixels::<$vector>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn corner_gradients_of(a: &CornerGradientsArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { corner_gradients::<$vector>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn offset_gradients_of(a: &OffsetGradientsArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { offset_gradients::<$vector>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn depthwise_of(a: &DepthwiseArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { depthwise::<$vector, COLUMNS>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn scale_of(a: &ScaleArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { scale::<$vector, $vectors>(a) }
            }

            #[target_feature(enable = $features)]
            unsafe fn column_dots_of(a: &ColumnDotsArgs<$element>) {
                // SAFETY: this function's caller has promised the same.
                unsafe { column_dots::<$vector, $vectors>(a) }
            }

            Kernels {
                name: $name,
                isa: $isa,
                rows: $rows,
                columns: COLUMNS,
                coordinates: coordinates_of,
                sample: sample_of,
                multiply: multiply_of,
                multiply_transposed: multiply_transposed_of,
                store_planes: store_planes_of,
                planes_to_pixels: planes_to_pixels_of,
                corner_gradients: corner_gradients_of,
                offset_gradients: offset_gradients_of,
                depthwise: depthwise_of,
                scale: scale_of,
                column_dots: column_dots_of,
            }
        };
    };
}

pub(in crate::cpu) use kernels;
