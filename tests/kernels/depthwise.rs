//! The kernels for groups of one channel.

use super::Trial;
use super::forward::CornerArrays;
use super::guarded::Place;
use super::operand::Operand;
use super::values::{Value, magnitude};
use deformconv::cpu::kernels::*;
use std::ptr::null_mut;

/// Values [rows][columns of all panels] in panels of some columns, one behind the other.
struct Panels {
    columns: usize,
    rows: usize,
}

impl Panels {
    /// Room for so many channels.
    fn shape(&self, channels: usize) -> [usize; 2] {
        [channels.div_ceil(self.columns) * self.rows, self.columns]
    }

    /// Where the panels have what is in a row of a column.
    fn at(&self, row: usize, column: usize) -> [usize; 2] {
        [column / self.columns * self.rows + row, column % self.columns]
    }

    /// Row and column of what is in the panels.
    fn of(&self, row: usize, column: usize) -> [usize; 2] {
        [row % self.rows, row / self.rows * self.columns + column]
    }
}

pub fn depthwise<T: Value>(trial: &mut Trial<T>) {
    let (positions, place, finite) = (trial.positions(), trial.place, !trial.number.is_multiple_of(4));
    let (taps, pixels) = (1 + trial.random.below(MAX_DEPTHWISE_TAPS), 1 + trial.random.below(12));
    let accumulate = trial.random.one_in(2);
    // Some channels of one panel, or whole panels and a part of one.
    let first = if trial.random.one_in(3) { trial.random.below(trial.scalar.columns) } else { 0 };
    let channels = if first > 0 { trial.scalar.columns - first } else { trial.channels() };
    let corners: Vec<_> = (0..taps).map(|_| CornerArrays::random(trial, positions, pixels, finite)).collect();
    let image = Operand::new([pixels, channels], trial.stride(channels), place);
    let image = image.filled(|_, _| trial.random.number(finite));
    let mut values =
        |rows: usize| -> Vec<T> { (0..rows * (first + channels)).map(|_| trial.random.number(finite)).collect() };
    let (weight, before) = (values(taps), values(positions));
    let run = |kernels: &Kernels<T>, change: fn(T) -> T, corners: &[CornerArrays<T>], image: &Operand<T>| {
        let all = first + channels;
        let operand = |rows: usize, values: &[T]| {
            let panels = Panels { columns: kernels.columns, rows };
            Operand::new(panels.shape(all), kernels.columns, place).filled(|row, column| {
                let [row, column] = panels.of(row, column);
                if column < all { change(values[row * all + column]) } else { T::ZERO }
            })
        };
        let (weight, acc) = (operand(taps, &weight), operand(positions, &before));
        let corners: Vec<_> = corners.iter().map(CornerArrays::arguments).collect();
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe {
            (kernels.depthwise)(&DepthwiseArgs {
                positions,
                channels,
                corners: corners.as_ptr(),
                taps,
                image: image.pointer(),
                pixel_stride: image.stride,
                weight: weight.pointer().add(first),
                weight_stride: taps * kernels.columns,
                acc: acc.pointer().add(first),
                acc_stride: positions * kernels.columns,
                accumulate,
            });
        }
        // In the order of positions and channels, to compare different panels.
        let panels = Panels { columns: kernels.columns, rows: positions };
        Operand::new([positions, all], all, place).filled(|p, channel| {
            let [row, column] = panels.at(p, channel);
            acc.get(row, column)
        })
    };
    let (same, magnitudes) =
        (|value| value, corners.iter().map(|corners| corners.magnitudes(trial)).collect::<Vec<_>>());
    let [got, expected] = [trial.kernels, trial.scalar].map(|kernels| run(kernels, same, &corners, &image));
    let magnitudes = run(trial.scalar, magnitude, &magnitudes, &image.map(place, magnitude));
    got.assert_close(&expected, &magnitudes, 5 * taps + 1, "acc");
}

/// What the gradients of a tile follow from.
struct Tile<T: Value> {
    place: Place,
    positions: usize,
    corners: Vec<CornerArrays<T>>,
    grad_y: Operand<T>,
    weight: Operand<T>,
    image: Operand<T>,
    /// What is in grad_x and in grad_weight before.
    held: [Operand<T>; 2],
    accumulate: bool,
}

impl<T: Value> Tile<T> {
    fn random(trial: &mut Trial<T>) -> Self {
        let (positions, place) = (trial.positions(), trial.place);
        let channels = trial.channels().min(MAX_DEPTHWISE_CHANNELS);
        let (taps, pixels) = (1 + trial.random.below(MAX_DEPTHWISE_TAPS), 1 + trial.random.below(12));
        let finite = !trial.number.is_multiple_of(4);
        let corners = (0..taps).map(|_| CornerArrays::random(trial, positions, pixels, finite)).collect();
        let rows = [positions, taps, pixels, pixels, taps].map(|rows| (rows, trial.stride(channels)));
        let behind = [0, trial.random.below(size_of::<T>()), 0, 0, 0];
        let mut operand = |k: usize| {
            let operand = Operand::unaligned([rows[k].0, channels], rows[k].1, place, behind[k]);
            operand.filled(|_, _| trial.random.number(finite))
        };
        let [grad_y, weight, image, grad_image, grad_weight] = [0, 1, 2, 3, 4].map(&mut operand);
        let accumulate = trial.random.one_in(2);
        Self { place, positions, corners, grad_y, weight, image, held: [grad_image, grad_weight], accumulate }
    }

    fn magnitudes(&self, trial: &Trial<T>) -> Self {
        let of = |operand: &Operand<T>| operand.map(self.place, magnitude);
        Self {
            corners: self.corners.iter().map(|corners| corners.magnitudes(trial)).collect(),
            grad_y: of(&self.grad_y),
            weight: of(&self.weight),
            image: of(&self.image),
            held: self.held.each_ref().map(of),
            ..*self
        }
    }

    /// The dot products, where a corner is inside, grad_x and grad_weight, as far as they are wanted.
    fn run(&self, kernels: &Kernels<T>, wants: [bool; 3]) -> [Operand<T>; 3] {
        let (place, channels, taps) = (self.place, self.grad_y.columns, self.corners.len());
        let corners: Vec<_> = self.corners.iter().map(CornerArrays::arguments).collect();
        let dots = Operand::new([taps, 4 * self.positions], 4 * self.positions + 3, place);
        let [grad_image, grad_weight] = self.held.each_ref().map(|held| held.map(place, |value| value));
        let outside = Operand::new([1, channels], channels, place).filled(|_, _| T::from_f64(1.0));
        let wanted = |wanted: bool, operand: &Operand<T>| if wanted { operand.pointer() } else { null_mut() };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe {
            (kernels.depthwise_gradients)(&DepthwiseGradientsArgs {
                positions: self.positions,
                channels,
                corners: corners.as_ptr(),
                taps,
                grad_y: self.grad_y.pointer(),
                grad_y_stride: self.grad_y.stride,
                weight: wanted(wants[0] || wants[1], &self.weight),
                weight_stride: self.weight.stride,
                image: wanted(wants[0] || wants[2], &self.image),
                pixel_stride: self.image.stride,
                dots: wanted(wants[0], &dots),
                dots_stride: dots.stride,
                grad_image: wanted(wants[1], &grad_image),
                grad_pixel_stride: grad_image.stride,
                outside: wanted(wants[1], &outside),
                grad_weight: wanted(wants[2], &grad_weight),
                grad_weight_stride: grad_weight.stride,
                accumulate: self.accumulate,
            });
        }
        dots.assert_gaps("dots");
        outside.assert_gaps("outside");
        let is_inside = |tap: usize, at: usize| self.corners[tap].index.get(at % 4, at / 4) >= 0;
        let inside = Operand::new([taps, dots.columns], dots.columns, place);
        let inside = inside.filled(|tap, at| if wants[0] && is_inside(tap, at) { dots.get(tap, at) } else { T::ZERO });
        [inside, grad_image, grad_weight]
    }
}

pub fn depthwise_gradients<T: Value>(trial: &mut Trial<T>) {
    let tile = Tile::random(trial);
    let (channels, taps) = (tile.grad_y.columns, tile.corners.len());
    let all = tile.run(trial.kernels, [true; 3]);
    let expected = tile.run(trial.scalar, [true; 3]);
    let magnitudes = tile.magnitudes(trial).run(trial.scalar, [true; 3]);
    let names = ["dots", "grad_image", "grad_weight"];
    let terms = [2 * channels, 8 * taps * tile.positions + 1, 5 * tile.positions + 1];
    for k in 0..3 {
        all[k].assert_close(&expected[k], &magnitudes[k], terms[k], names[k]);
    }
    for set in 0..7 {
        let wants = [0, 1, 2].map(|k| set >> k & 1 == 1);
        for (k, some) in tile.run(trial.kernels, wants).iter().enumerate() {
            let what = format!("{} where {wants:?} are wanted", names[k]);
            match k {
                _ if wants[k] => some.assert_same(|row, column| all[k].get(row, column), some.columns, &what),
                0 => some.assert_same(|_, _| T::ZERO, some.columns, &what),
                _ => some.assert_same(|row, column| tile.held[k - 1].get(row, column), channels, &what),
            }
        }
    }
}
