// The forward and the backward pass as src/ascend/kernels/README.md describes them, with a plain GEMM in CANN's place.
#ifndef DCN_TEST_PASSES_H
#define DCN_TEST_PASSES_H

#include "problem.h"

// A matrix by strides, as aclCreateTensor describes one.
struct Matrix {
    float *data;
    int64_t rows, columns, row_stride, column_stride;
    float &at(int64_t i, int64_t j) const { return data[i * row_stride + j * column_stride]; }
    Matrix transposed() const { return {data, columns, rows, column_stride, row_stride}; }
};

inline void multiply(const Matrix &a, const Matrix &b, const Matrix &out, bool add) {
    for (int64_t i = 0; i < out.rows; ++i)
        for (int64_t j = 0; j < out.columns; ++j) {
            double sum = add ? out.at(i, j) : 0;
            for (int64_t k = 0; k < a.columns; ++k) sum += double{a.at(i, k)} * b.at(k, j);
            out.at(i, j) = static_cast<float>(sum);
        }
}

struct Wanted {
    bool x = true, offset = true, mask = true, weight = true, bias = true;
    bool accumulate = false;
};

template <typename T> class Passes {
  public:
    // slab_images and chunk_positions are small here so that every seam is met.
    Passes(const Device &device, const Problem &p, int64_t slab_images, int64_t chunk_positions)
        : device_(device), p_(p), slab_images_(slab_images), chunk_positions_(chunk_positions), depthwise_(p.groups == p.c && p.c > 1),
          weight_(p.o * (p.c / p.groups) * p.taps()), x_(slab_images * p.c * p.h * p.w) {}

    void forward(Tensors<T> &t, Buffer<T> &y) {
        weight_in(t);
        each_chunk([&](int64_t image, int64_t images, const dcn::Chunk &chunk, bool first) {
            if (first) x_in(t, image, images);
            const int64_t rows = chunk.images * chunk.positions;
            Buffer<float> col(rows * p_.taps() * p_.c), product(p_.o * rows);
            sample(t, image, chunk, col);
            if (depthwise_)
                launch_f32("dcn_depthwise_forward", {col.data(), weight_.data(), product.data()}, depthwise_tiling(rows));
            else
                for (int64_t g = 0; g < p_.groups; ++g) multiply(weight(weight_, g), column(col, rows, g).transposed(), plane(product, rows, g), false);
            void *bias = !p_.bias ? nullptr : p_.bias_is_float ? static_cast<void *>(t.float_bias.data()) : t.bias.data();
            dcn::OutputTiling tiling{chunk, p_.o, p_.plane(), !p_.bias ? dcn::kBiasAbsent : p_.bias_is_float ? dcn::kBiasFloat : dcn::kBiasOfTensors};
            launch("dcn_output", {product.data(), bias, y.data() + image * p_.o * p_.plane()}, tiling);
        });
    }

    void backward(Tensors<T> &t, Gradients<T> &g, const Wanted &wanted) {
        weight_in(t);
        Buffer<float> grad_weight(weight_.size()), grad_x(x_.size());
        bool first_chunk = true;
        each_chunk([&](int64_t image, int64_t images, const dcn::Chunk &chunk, bool first) {
            if (first) x_in(t, image, images);
            if (first && wanted.x) grad_x.fill(0);
            const int64_t rows = chunk.images * chunk.positions;
            Buffer<float> col(rows * p_.taps() * p_.c), grad(p_.o * rows);
            launch("dcn_grad_output", {t.grad_y.data() + image * p_.o * p_.plane(), grad.data()}, dcn::OutputTiling{chunk, p_.o, p_.plane(), 0});
            if (wanted.weight) {
                sample(t, image, chunk, col);
                weight_step(grad, col, grad_weight, rows, first_chunk);
                first_chunk = false;
            }
            if (wanted.x || wanted.offset || wanted.mask) sample_step(t, g, wanted, image, chunk, grad, col, grad_x);
            if (chunk.image + chunk.images == images && chunk.first + chunk.positions == p_.plane() && wanted.x)
                x_out(grad_x, g, image, images, wanted.accumulate);
        });
        if (wanted.weight) weight_out(grad_weight, g, wanted.accumulate);
        if (wanted.bias)
            launch("dcn_grad_bias", {t.grad_y.data(), g.bias.data()}, dcn::GradBiasTiling{p_.n, p_.o, p_.plane(), wanted.accumulate});
    }

  private:
    template <typename Tiling> void launch(const char *kernel, std::vector<void *> arguments, const Tiling &tiling) {
        device_.launch(std::string(kernel) + "_" + dtype_name<T>(), std::move(arguments), tiling);
    }
    template <typename Tiling> void launch_f32(const char *kernel, std::vector<void *> arguments, const Tiling &tiling) {
        device_.launch(std::string(kernel) + "_f32", std::move(arguments), tiling);
    }

    template <typename F> void each_chunk(F f) {
        const int64_t whole = chunk_positions_ / p_.plane();
        for (int64_t image = 0; image < p_.n; image += slab_images_) {
            const int64_t images = std::min(slab_images_, p_.n - image);
            if (whole > 0)
                for (int64_t i = 0; i < images; i += whole) f(image, images, dcn::Chunk{i, std::min(whole, images - i), 0, p_.plane()}, i == 0);
            else
                for (int64_t i = 0; i < images; ++i)
                    for (int64_t at = 0; at < p_.plane(); at += chunk_positions_)
                        f(image, images, dcn::Chunk{i, 1, at, std::min(chunk_positions_, p_.plane() - at)}, i == 0 && at == 0);
        }
    }

    Matrix weight(Buffer<float> &of, int64_t g) {
        const int64_t rows = p_.o / p_.groups, columns = p_.taps() * (p_.c / p_.groups);
        return {of.data() + g * rows * columns, rows, columns, columns, 1};
    }
    Matrix column(Buffer<float> &col, int64_t rows, int64_t g) {
        const int64_t columns = p_.taps() * (p_.c / p_.groups);
        return {col.data() + g * rows * columns, rows, columns, columns, 1};
    }
    Matrix plane(Buffer<float> &of, int64_t rows, int64_t g) {
        const int64_t outputs = p_.o / p_.groups;
        return {of.data() + g * outputs * rows, outputs, rows, rows, 1};
    }

    static dcn::LayoutTiling layout(int64_t batch, int64_t rows, int64_t columns, bool accumulate) {
        if (rows == 1 || columns == 1) return {1, 1, batch * rows * columns, accumulate};
        return {batch, rows, columns, accumulate};
    }

    void weight_in(Tensors<T> &t) {
        const int64_t cg = p_.c / p_.groups;
        launch("dcn_layout_in", {t.weight.data(), weight_.data()},
               depthwise_ ? layout(1, p_.c, p_.o / p_.c * p_.taps(), false) : layout(p_.o, cg, p_.taps(), false));
    }
    void weight_out(Buffer<float> &from, Gradients<T> &g, bool accumulate) {
        const int64_t cg = p_.c / p_.groups;
        launch("dcn_layout_out", {from.data(), g.weight.data()},
               depthwise_ ? layout(1, p_.o / p_.c * p_.taps(), p_.c, accumulate) : layout(p_.o, p_.taps(), cg, accumulate));
    }
    void x_in(Tensors<T> &t, int64_t image, int64_t images) {
        T *x = t.x.data() + image * p_.c * p_.h * p_.w;
        const int64_t own = p_.c / p_.deformable_groups;
        if (p_.nhwc) launch("dcn_layout_in", {x, x_.data()}, layout(1, 1, images * p_.c * p_.h * p_.w, false));
        else launch("dcn_layout_in", {x, x_.data()}, layout(images * p_.deformable_groups, own, p_.h * p_.w, false));
    }
    void x_out(Buffer<float> &from, Gradients<T> &g, int64_t image, int64_t images, bool accumulate) {
        T *x = g.x.data() + image * p_.c * p_.h * p_.w;
        const int64_t own = p_.c / p_.deformable_groups;
        if (p_.nhwc) launch("dcn_layout_out", {from.data(), x}, layout(1, 1, images * p_.c * p_.h * p_.w, accumulate));
        else launch("dcn_layout_out", {from.data(), x}, layout(images * p_.deformable_groups, p_.h * p_.w, own, accumulate));
    }

    dcn::SampleTiling sample_tiling(const dcn::Chunk &chunk, bool accumulate) const {
        const int64_t own = p_.c / p_.deformable_groups;
        dcn::SampleTiling s{};
        s.chunk = chunk;
        s.channels = p_.c, s.height = p_.h, s.width = p_.w, s.out_width = p_.wo(), s.out_plane = p_.plane();
        s.kernel_width = p_.kw, s.taps = p_.taps(), s.stride_h = p_.stride_h, s.stride_w = p_.stride_w;
        s.pad_top = p_.pad_top, s.pad_left = p_.pad_left, s.dilation_h = p_.dilation_h, s.dilation_w = p_.dilation_w;
        s.groups = depthwise_ ? 1 : p_.groups, s.deformable_groups = p_.deformable_groups;
        s.x_image = p_.c * p_.h * p_.w;
        s.x_deformable = p_.nhwc ? own : p_.h * p_.w * own;
        s.x_column = p_.nhwc ? p_.c : own;
        s.x_row = p_.w * s.x_column;
        s.accumulate_offset = s.accumulate_mask = accumulate;
        return s;
    }
    dcn::DepthwiseTiling depthwise_tiling(int64_t rows, bool accumulate = false) const {
        return {p_.c, p_.o / p_.c, p_.taps(), rows, accumulate};
    }
    // Offset and mask of the slab's first image, in whatever tensors of that shape.
    T *offset_of(Buffer<T> &of, int64_t image) { return of.data() + image * 2 * p_.deformable_groups * p_.taps() * p_.plane(); }
    T *mask_of(Buffer<T> &of, int64_t image) { return of.data() + image * p_.deformable_groups * p_.taps() * p_.plane(); }

    void sample(Tensors<T> &t, int64_t image, const dcn::Chunk &chunk, Buffer<float> &col) {
        launch("dcn_sample", {x_.data(), offset_of(t.offset, image), p_.mask ? mask_of(t.mask, image) : nullptr, col.data()},
               sample_tiling(chunk, false));
    }

    void weight_step(Buffer<float> &grad, Buffer<float> &col, Buffer<float> &grad_weight, int64_t rows, bool first) {
        if (depthwise_) {
            launch_f32("dcn_depthwise_grad_weight", {grad.data(), col.data(), grad_weight.data()}, depthwise_tiling(rows, !first));
            return;
        }
        for (int64_t g = 0; g < p_.groups; ++g) multiply(plane(grad, rows, g), column(col, rows, g), weight(grad_weight, g), !first);
    }

    void sample_step(Tensors<T> &t, Gradients<T> &g, const Wanted &wanted, int64_t image, const dcn::Chunk &chunk, Buffer<float> &grad,
                     Buffer<float> &col, Buffer<float> &grad_x) {
        const int64_t rows = chunk.images * chunk.positions;
        if (depthwise_)
            launch_f32("dcn_depthwise_grad_col", {grad.data(), weight_.data(), col.data()}, depthwise_tiling(rows));
        else
            for (int64_t i = 0; i < p_.groups; ++i) multiply(plane(grad, rows, i).transposed(), weight(weight_, i), column(col, rows, i), false);
        launch("dcn_backward",
               {x_.data(), offset_of(t.offset, image), p_.mask ? mask_of(t.mask, image) : nullptr, col.data(), wanted.x ? grad_x.data() : nullptr,
                wanted.offset ? offset_of(g.offset, image) : nullptr, wanted.mask && p_.mask ? mask_of(g.mask, image) : nullptr},
               sample_tiling(chunk, wanted.accumulate));
    }

    const Device &device_;
    Problem p_;
    int64_t slab_images_, chunk_positions_;
    bool depthwise_;
    Buffer<float> weight_, x_;
};

#endif
