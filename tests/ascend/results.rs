//! Results against the definition of the operator, within the contract's error bound.

use super::fake::Fake;
use super::golden;
use super::run::{self, Setup, bit};
use crate::common::case::{Case, Layouts};
use crate::common::dtype::Dtype;
use crate::common::effort::{dealt, is_reduced};
use crate::common::layout::Layout;
use crate::common::problem::{Gradients, Problem};
use crate::common::reference;
use crate::common::report::report;
use crate::common::runner::{self, all_gradients};
use crate::common::strategy::{case, for_all};
use crate::common::values::{Masks, Numbers, Offsets, Random};
use crate::common::verify::{Worst, compare};
use proptest::prelude::{Strategy, any};

/// The dtypes that the device takes.
pub const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Bf16];

/// The other backend, as fast as this machine can.
fn cpu() -> runner::Setup {
    let isas = runner::isas().0;
    runner::Setup::plain(isas.into_iter().max().expect("an instruction set"))
}

/// A problem run forward, y compared.
fn check_forward(fake: &Fake, case: &Case, setup: Setup, worst: &Worst) -> Result<(), String> {
    let problem = Problem::new(case);
    let y = run::forward(fake, &problem, setup).map_err(|refusal| format!("{refusal:?} {}", fake.violations()))?;
    let expected = reference::forward(&problem);
    worst.add(case.dtype, compare("y", &y, &expected)?);
    // The CPU backend keeps the same bound.
    let cpu = runner::forward(&problem, &cpu()).map_err(|refusal| format!("CPU: {refusal:?}"))?;
    compare("y on the CPU", &cpu, &expected).map(drop)
}

/// A problem run backward, the gradients that are `wanted` compared.
fn check_backward(
    fake: &Fake,
    case: &Case,
    (wanted, accumulate): (u32, u32),
    setup: Setup,
    worst: &Worst,
) -> Result<(), String> {
    let problem = Problem::new(case);
    let mut gradients = problem.gradients();
    let expected = reference::backward(&problem, &gradients.y);
    let on_cpu = runner::backward(&problem, &cpu()).map_err(|refusal| format!("CPU: {refusal:?}"))?;
    let held = start_from(&mut gradients, accumulate, case.seed);
    run::backward(fake, &problem, &gradients, (wanted, accumulate), setup)
        .map_err(|refusal| format!("{refusal:?} {}", fake.violations()))?;
    for (name, got) in gradients.outputs().into_iter().filter(|(name, _)| wanted & bit(name) != 0) {
        let mut expected = expected.named(name).to_vec();
        if let Some((_, tensor)) = on_cpu.outputs().into_iter().find(|(of, _)| *of == name) {
            compare(&format!("{name} on the CPU"), tensor, &expected)?;
        }
        if let Some((_, values)) = held.iter().find(|(of, _)| *of == name) {
            expected.iter_mut().zip(values).for_each(|(sum, value)| *sum = sum.added_to(*value));
        }
        worst.add(case.dtype, compare(name, got, &expected)?);
    }
    Ok(())
}

/// Fills the gradients that will be added to, and returns what they hold.
fn start_from(gradients: &mut Gradients, accumulate: u32, seed: u64) -> Vec<(&'static str, Vec<f64>)> {
    let mut random = Random::new(seed, 8);
    let mut held = Vec::new();
    for (name, tensor) in gradients.outputs_mut().into_iter().filter(|(name, _)| accumulate & bit(name) != 0) {
        tensor.fill(|_| random.between(-1.0, 1.0));
        held.push((name, tensor.indices().map(|index| tensor.get(&index)).collect()));
    }
    held
}

/// What other programs computed from the same tensors.
#[test]
fn golden_cases() {
    let (mut compared, fake) = (0, Fake::take());
    let step = if is_reduced() { 3 } else { 1 };
    for folder in ["torchvision", "onnx"] {
        let all = crate::case::Case::all(folder);
        for golden in all.iter().filter(|golden| golden::is_for_device(golden)).step_by(step) {
            golden::compare(&fake, golden).unwrap_or_else(|message| panic!("{}: {message}", golden.name));
            fake.assert_clean();
            compared += 1;
        }
    }
    assert!(compared * step >= 40, "only {compared} cases were compared");
    if is_reduced() {
        report("did not run: two of three golden cases on the emulated Ascend");
    }
    report(&format!("Ascend, emulated: {compared} golden cases, y and where the case has them the gradients"));
}

/// Both passes of one problem, all gradients.
fn check_both(case: Case) {
    let fake = Fake::take();
    let worst = Worst::default();
    check_forward(&fake, &case, Setup::default(), &worst).unwrap();
    fake.assert_clean();
    check_backward(&fake, &case, (u32::MAX, 0), Setup::default(), &worst).unwrap();
    fake.assert_clean();
}

#[test]
fn a_common_problem_in_every_dtype() {
    DTYPES.into_iter().for_each(|dtype| check_both(Case::default().of(dtype)));
}

/// The kernels of mx_driving for C = 256 ignore stride, padding and dilation.
#[test]
fn stride_2_padding_and_dilation_with_256_channels() {
    let case = Case { n: 1, c: 256, o: 64, h: 9, w: 10, bias: None, ..Case::default() };
    check_both(Case { stride: [2, 2], ..case.clone() });
    check_both(Case { stride: [2, 2], pad_before: [2, 2], pad_after: [2, 2], dilation: [2, 2], ..case });
}

/// mx_driving's modulated backward gets grad_y in the wrong layout for other C.
#[test]
fn backward_with_64_channels() {
    check_both(Case { n: 2, c: 64, o: 64, h: 8, w: 7, bias: None, ..Case::default() });
}

#[test]
fn eight_groups() {
    check_both(Case { c: 64, o: 64, h: 6, w: 7, groups: 8, bias: None, ..Case::default() });
}

/// mx_driving divides by the mask to get its gradient.
#[test]
fn a_mask_of_zeros_has_a_gradient() {
    for masks in [Masks::Zeros, Masks::Signed] {
        check_both(Case { masks, c: 64, o: 64, h: 5, w: 5, bias: None, ..Case::default() });
    }
}

#[test]
fn depthwise_with_several_outputs_a_channel() {
    for (c, o) in [(7, 7), (10, 30), (130, 130), (65, 130)] {
        check_both(Case { c, o, groups: c, deformable_groups: if c % 5 == 0 { 5 } else { 1 }, ..Case::default() });
    }
}

#[test]
fn every_pair_of_layouts_of_x_and_grad_x() {
    let (planes, pixels) = (Layout::Contiguous, Layout::channels_last());
    let pairs = [(&planes, &planes), (&planes, &pixels), (&pixels, &planes), (&pixels, &pixels)];
    let ways: Vec<_> = pairs.into_iter().flat_map(|pair| [(pair, 1), (pair, 3)]).collect();
    for (i, dtype) in DTYPES.into_iter().enumerate() {
        for ((x, grad_x), deformable_groups) in dealt(ways.clone(), i, DTYPES.len()) {
            let layouts = Layouts { x: x.clone(), grad_x: grad_x.clone(), ..Layouts::default() };
            check_both(Case { layouts, deformable_groups, ..Case::default() }.of(dtype));
        }
    }
}

/// An image of which col is larger than a chunk, in a batch of which x is larger than a slab.
#[test]
fn several_slabs_and_chunks() {
    if is_reduced() {
        return report("did not run: several_slabs_and_chunks: it takes minutes under an emulator");
    }
    let fake = Fake::take();
    let worst = Worst::default();
    let case = Case { n: 3, c: 1024, o: 1, h: 61, w: 64, kernel: [3, 3], bias: None, ..Case::default() };
    let case = Case { stride: [1, 4], masks: Masks::Unit, offsets: Offsets::Small, ..case };
    check_forward(&fake, &case, Setup::default(), &worst).unwrap();
    fake.assert_clean();
    let trace = fake.trace();
    let count = |kernel: &str| trace.iter().filter(|line| line.starts_with(&format!("kernel {kernel}"))).count();
    // The weights once, and x for each slab.
    assert_eq!((count("dcn_layout_in_f32"), count("dcn_sample_f32")), (3, 6), "{trace:#?}");
}

/// Gradients of the second slab go where they belong, and its share of grad_weight is added to that of the first.
#[test]
fn several_slabs_backward() {
    if is_reduced() {
        return report("did not run: several_slabs_backward: it takes minutes under an emulator");
    }
    let fake = Fake::take();
    let case =
        Case { n: 2, c: 1024, o: 2, h: 72, w: 64, kernel: [1, 2], stride: [24, 16], bias: None, ..Case::default() };
    let case = Case { pad_before: [0, 0], pad_after: [0, 0], masks: Masks::Signed, offsets: Offsets::Small, ..case };
    check_backward(&fake, &case, (u32::MAX, 0), Setup::default(), &Worst::default()).unwrap();
    fake.assert_clean();
    let trace = fake.trace();
    let count = |what: &str| trace.iter().filter(|line| line.starts_with(what)).count();
    // x of each slab and the weights come in; grad_x of each slab and grad_weight go home.
    let counts = [count("kernel dcn_layout_in"), count("kernel dcn_layout_out"), count("memset")];
    assert_eq!(counts, [3, 3, 2], "{trace:#?}");
}

#[test]
fn an_empty_batch() {
    for dtype in DTYPES {
        let fake = Fake::take();
        let (case, worst) = (Case { n: 0, ..Case::default() }.of(dtype), Worst::default());
        check_forward(&fake, &case, Setup::default(), &worst).unwrap();
        for accumulate in [0, u32::MAX] {
            check_backward(&fake, &case, (u32::MAX, accumulate), Setup::default(), &worst).unwrap();
        }
        fake.assert_clean();
    }
}

/// The contract lets NaN and infinities of x through corners of weight 0 here; those elsewhere behave as on the CPU.
fn device_case(dtype: Dtype) -> impl Strategy<Value = Case> {
    let layouts = any::<[bool; 3]>().prop_map(|[x, grad_x, implied]| {
        let layout = |pixels: bool| if pixels { Layout::channels_last() } else { Layout::Contiguous };
        let grad_x = if implied { Layout::Implied } else { layout(grad_x) };
        Layouts { x: layout(x), grad_x, ..Layouts::default() }
    });
    (case(dtype), layouts)
        .prop_map(|(case, layouts)| Case { layouts, ..case })
        .prop_filter("the device takes no NaN of x for granted", |case| case.numbers != Numbers::NonFinite)
        .prop_filter("too much work for an emulator", |case| case.work() <= 60_000)
}

fn setup() -> impl Strategy<Value = (Setup, (u64, bool, usize))> {
    (any::<[bool; 3]>(), any::<u64>(), 0..CORES.len()).prop_map(
        |([packed, default_stream, keeps_nan], order, device)| {
            (Setup { packed, default_stream }, (order, keeps_nan, device))
        },
    )
}

/// Vector cores of the first devices; plans ask for the number once, and start as many blocks.
const CORES: [u32; 4] = [40, 48, 7, 1];

/// Takes the fake, with one of the devices current that differ in cores, in the order of their blocks, and in what Max
/// and Min make of NaN.
fn arranged((order, keeps_nan, device): (u64, bool, usize)) -> Fake {
    let fake = Fake::take();
    // SAFETY: plain calls.
    unsafe {
        (fake.functions.fake_set_vector_cores)(CORES[device]);
        assert_eq!((fake.functions.aclrtSetDevice)(device as i32), 0);
        (fake.functions.emu_set_block_order)(order);
        (fake.functions.emu_set_max_keeps_nan)(keeps_nan.into());
    }
    fake
}

#[test]
fn random_problems_forward() {
    let worst = Worst::default();
    for dtype in DTYPES {
        for_all(60, (device_case(dtype), setup()), |(case, (setup, device))| {
            let fake = arranged(device);
            check_forward(&fake, &case, setup, &worst)?;
            fake.assert_clean();
            Ok(())
        });
    }
    worst.lines().iter().for_each(|line| report(&format!("Ascend, emulated: y of random problems: {line}")));
}

#[test]
fn random_problems_backward() {
    let worst = Worst::default();
    let bits = (any::<u32>(), any::<u32>(), any::<bool>());
    for dtype in DTYPES {
        let problems = (device_case(dtype), setup(), bits);
        for_all(60, problems, |(case, (setup, device), (wanted, accumulate, some))| {
            let fake = arranged(device);
            let wanted = if some { wanted & 31 } else { 31 };
            let accumulate = accumulate & accumulate >> 5 & wanted & all_gradients(&Problem::new(&case));
            check_backward(&fake, &case, (wanted, accumulate), setup, &worst)?;
            fake.assert_clean();
            Ok(())
        });
    }
    worst.lines().iter().for_each(|line| report(&format!("Ascend, emulated: gradients of random problems: {line}")));
}
