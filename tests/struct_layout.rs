//! Every public struct has the same fields at the same places in C and in Rust, and no implicit padding.

mod native;

use deformconv::abi::*;
use native::{Language, build_dir, compilers, output_of, root, run};
use std::fs;
use std::mem::offset_of;

struct Struct {
    name: &'static str,
    size: usize,
    align: usize,
    /// Name, offset, size.
    fields: Vec<(&'static str, usize, usize)>,
}

/// The size of the field that `get` points to.
fn field_size<S, F>(_get: fn(*const S) -> *const F) -> usize {
    size_of::<F>()
}

macro_rules! structs {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        vec![$(Struct {
            name: stringify!($name),
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: vec![$((
                stringify!($field),
                offset_of!($name, $field),
                // SAFETY: called by nobody; it names the field's type only.
                field_size(|s: *const $name| unsafe { &raw const (*s).$field }),
            )),*],
        }),*]
    };
}

fn structs() -> Vec<Struct> {
    structs! {
        dcn_tensor_desc { dtype, rank, layout, reserved0, dims, strides, reserved }
        dcn_problem {
            struct_size, backend, flags, passes, reserved0, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right,
            dilation_h, dilation_w, groups, deformable_groups, x, offset, mask, weight, bias, y, grad_y, grad_x,
            grad_offset, grad_mask, grad_weight, grad_bias,
        }
        dcn_executor { ctx, concurrency, reserved0, parallel_for, reserved }
        dcn_allocator { ctx, alloc, free, reserved }
        dcn_logger { ctx, log, reserved }
        dcn_context_config { struct_size, num_threads, ascend_device, max_isa, executor, allocator, logger }
        dcn_plan_info {
            struct_size, isa, forward_kernel, backward_kernel, forward_flops, backward_flops, packed_layout,
            tile_positions, max_tasks,
        }
        dcn_pack_args {
            struct_size, pass, reserved0, weight, packed, packed_size, workspace, workspace_size, stream,
        }
        dcn_forward_args {
            struct_size, x, offset, mask, weight, packed_weight, packed_weight_size, bias, y, workspace, workspace_size,
            stream,
        }
        dcn_backward_args {
            struct_size, x, offset, mask, weight, packed_weight, packed_weight_size, grad_y, grad_x, grad_offset,
            grad_mask, grad_weight, grad_bias, accumulate, reserved0, workspace, workspace_size, stream,
        }
    }
}

/// One line a struct, one a field.
fn rust_layout() -> String {
    let mut text = String::new();
    for Struct { name, size, align, fields } in structs() {
        text += &format!("{name} {size} {align}\n");
        for (field, offset, size) in fields {
            text += &format!("{name}.{field} {offset} {size}\n");
        }
    }
    text
}

/// A C program that prints the same of the header's structs.
fn c_source() -> String {
    let mut text = "#include <deformconv/deformconv.h>\n#include <stdio.h>\n\nint main(void) {\n".to_owned();
    for Struct { name, fields, .. } in structs() {
        text += &format!("    struct {name}_align {{ char c; {name} s; }};\n");
        let align = format!("offsetof(struct {name}_align, s)");
        text += &format!("    printf(\"{name} %zu %zu\\n\", sizeof({name}), {align});\n");
        for (field, ..) in fields {
            let size = format!("sizeof((({name} *)0)->{field})");
            text += &format!("    printf(\"{name}.{field} %zu %zu\\n\", offsetof({name}, {field}), {size});\n");
        }
    }
    text + "    return 0;\n}\n"
}

#[test]
fn c_and_rust_agree() {
    let source = build_dir().join("struct-layout.c");
    fs::write(&source, c_source()).expect("the build directory is writable");
    for compiler in compilers(Language::C) {
        let program = build_dir().join(format!("struct-layout-{}", compiler.name));
        output_of(compiler.command().arg("-std=c11").arg(&source).arg("-o").arg(&program));
        assert_eq!(output_of(&mut run(&program)), rust_layout(), "{}", compiler.name);
    }
}

/// Each field begins where the one before it ends, up to the end of the struct: nothing is left out here either.
#[test]
fn no_struct_has_padding() {
    for Struct { name, size, fields, .. } in structs() {
        let mut end = 0;
        for (field, offset, size) in fields {
            assert_eq!(offset, end, "{name}.{field} follows padding, or a field is missing in this test");
            end = offset + size;
        }
        assert_eq!(end, size, "{name} ends with padding, or a field is missing in this test");
    }
}

/// The structs above are those of the header.
#[test]
fn no_struct_is_missing() {
    let header = fs::read_to_string(root().join("include/deformconv/deformconv.h")).expect("the header is readable");
    let defined = header.lines().filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(" {"));
    let mut defined: Vec<_> = defined.collect();
    let mut listed: Vec<_> = structs().iter().map(|s| s.name).collect();
    defined.sort_unstable();
    listed.sort_unstable();
    assert_eq!(defined, listed);
}
