//! Turns the kernel bodies into the functions of the rows of the table.

/// `kernels!(NAME: element, isa, "target features", Vector, "row name", rows x vectors)` defines a `Kernels` row whose
/// functions are the bodies, compiled for the features. `kernels!(NAME: element as ROW, ...)` defines the row of an
/// element type that is computed in the type of another row: it shares with that row the kernels that see no tensors.
macro_rules! kernels {
    ($row:ident: $element:ty, $isa:expr, $features:literal, $vector:ty, $name:literal, $rows:literal x $vectors:literal) => {
        pub static $row: $crate::cpu::kernels::Kernels<$element> = {
            use $crate::cpu::kernels::*;
            use $crate::cpu::simd::Simd;

            const COLUMNS: usize = $vectors * <$vector>::LANES;

            $crate::cpu::kernels::functions! { $features;
                sample_of: (SampleArgs<$element>) = sample::<$vector>;
                multiply_of: (MultiplyArgs<$element>) = multiply::<$vector, $rows, $vectors, false>;
                multiply_transposed_of: (MultiplyArgs<$element>) = multiply::<$vector, $rows, $vectors, true>;
                corner_gradients_of: (CornerGradientsArgs<$element>) = corner_gradients::<$vector>;
                depthwise_of: (DepthwiseArgs<$element>) = depthwise::<$vector, COLUMNS>;
                depthwise_gradients_of: (DepthwiseGradientsArgs<$element>) = depthwise_gradients::<$vector, { MAX_DEPTHWISE_CHANNELS / <$vector>::LANES }>;
                copy_of: (CopyArgs<$element, $element>) = copy::<$vector, $element, $element>;
                transpose_of: (CopyArgs<$element, $element>) = transpose::<$vector, $element, $element>;
            }

            $crate::cpu::kernels::row! { $element, $isa, $features, $vector, $name, $rows x $vectors;
                sample: sample_of,
                multiply: multiply_of,
                multiply_transposed: multiply_transposed_of,
                corner_gradients: corner_gradients_of,
                depthwise: depthwise_of,
                depthwise_gradients: depthwise_gradients_of,
                widen: copy_of,
                narrow: copy_of,
                planes_to_pixels: transpose_of,
                pixels_to_planes: transpose_of,
            }
        };
    };
    ($row:ident: $element:ty as $shared:ident, $isa:expr, $features:literal, $vector:ty, $name:literal, $rows:literal x $vectors:literal) => {
        pub static $row: $crate::cpu::kernels::Kernels<$element> = {
            use $crate::cpu::kernels::*;
            use $crate::cpu::simd::Simd;

            const COLUMNS: usize = $vectors * <$vector>::LANES;
            type Computed = <$vector as Simd>::Scalar;

            $crate::cpu::kernels::functions! { $features;
                widen_of: (CopyArgs<$element, Computed>) = copy::<$vector, $element, Computed>;
                narrow_of: (CopyArgs<Computed, $element>) = copy::<$vector, Computed, $element>;
                planes_to_pixels_of: (CopyArgs<$element, Computed>) = transpose::<$vector, $element, Computed>;
                pixels_to_planes_of: (CopyArgs<Computed, $element>) = transpose::<$vector, Computed, $element>;
            }

            $crate::cpu::kernels::row! {
                $element, $isa, $features, $vector, $name, $rows x $vectors;
                sample: $shared.sample,
                multiply: $shared.multiply,
                multiply_transposed: $shared.multiply_transposed,
                corner_gradients: $shared.corner_gradients,
                depthwise: $shared.depthwise,
                depthwise_gradients: $shared.depthwise_gradients,
                widen: widen_of,
                narrow: narrow_of,
                planes_to_pixels: planes_to_pixels_of,
                pixels_to_planes: pixels_to_planes_of,
            }
        };
    };
}

/// A row: the kernels that every element type has of its own, and the others as they are given.
macro_rules! row {
    (
        $element:ty, $isa:expr, $features:literal, $vector:ty, $name:literal, $rows:literal x $vectors:literal;
        $($kernel:ident: $function:expr,)*
    ) => {{
        $crate::cpu::kernels::functions! { $features;
            coordinates_of: (CoordinatesArgs<$element>) -> Reach<<$vector as Simd>::Scalar> = coordinates::<$vector, $element>;
            store_planes_of: (StoreArgs<$element>) = store_planes::<$vector, $element, COLUMNS>;
            store_pixels_of: (StoreArgs<$element>) = store_pixels::<$vector, $element, COLUMNS>;
            offset_gradients_of: (OffsetGradientsArgs<$element>) = offset_gradients::<$vector, $element>;
        }

        Kernels {
            name: $name,
            isa: $isa,
            rows: $rows,
            columns: COLUMNS,
            coordinates: coordinates_of,
            store_planes: store_planes_of,
            store_pixels: store_pixels_of,
            offset_gradients: offset_gradients_of,
            $($kernel: $function,)*
        }
    }};
}

/// Functions that are bodies compiled for the features.
macro_rules! functions {
    ($features:literal; $($function:ident: ($args:ty) $(-> $result:ty)? = $body:expr;)*) => {
        $(#[target_feature(enable = $features)]
        unsafe fn $function(a: &$args) $(-> $result)? {
            // SAFETY: this function's caller has promised the same.
            unsafe { $body(a) }
        })*
    };
}

pub(in crate::cpu) use {functions, kernels, row};
