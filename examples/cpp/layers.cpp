/* Deformable convolutions as layers of an inference engine: what can be done once is done when the model is loaded, and a run
 * of the model allocates nothing.
 *
 * The model stills motion, as networks that restore video do: its first layer that of the camera, its second what is left,
 * another one for each half of the channels. The pictures are slopes, which neither bilinear sampling nor a mean of the taps
 * changes: what has to come out, away from the edge, is the picture before the motion. */
#include <deformconv/deformconv.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <vector>

namespace {

using floats = std::vector<float>;
using bytes = std::vector<unsigned char>;

constexpr int64_t C = 32, H = 60, W = 80, KERNEL = 3, TAPS = KERNEL * KERNEL;

struct motion {
    float down, right; // in pixels
};

dcn_tensor_desc row_major(int64_t n, int64_t c, int64_t h, int64_t w) {
    return {DCN_F32, 4, DCN_LAYOUT_CONTIGUOUS, 0, {n, c, h, w}, {}, {}};
}

// NHWC: the dimensions keep their order, the strides say what lies beside what.
dcn_tensor_desc channels_last(int64_t n, int64_t c, int64_t h, int64_t w) {
    return {DCN_F32, 4, DCN_LAYOUT_STRIDED, 0, {n, c, h, w}, {h * w * c, 1, w * c, c}, {}};
}

dcn_problem convolution(int64_t deformable_groups) {
    dcn_problem p{}; // zero is the default of every field
    p.struct_size = sizeof p;
    p.passes = 1 << DCN_PASS_FORWARD;
    p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = KERNEL / 2;
    p.deformable_groups = deformable_groups;
    p.x = p.y = channels_last(1, C, H, W);
    p.offset = row_major(1, deformable_groups * TAPS * 2, H, W);
    p.mask = row_major(1, deformable_groups * TAPS, H, W);
    p.weight = row_major(C, C, KERNEL, KERNEL);
    return p;
}

// A plan and its packed weights. Many threads may run one layer at once, each with a y and a workspace of its own.
class layer {
public:
    layer(const deformconv::context &context, const dcn_problem &problem, const floats &weight)
        : plan_(context, problem), packed_(plan_.packed_weight_size(DCN_PASS_FORWARD)) {
        dcn_pack_args pack{};
        pack.struct_size = sizeof pack;
        pack.pass = DCN_PASS_FORWARD;
        pack.weight = weight.data();
        pack.packed = packed_.data();
        pack.packed_size = packed_.size();
        plan_.pack_weight(pack);
    }

    size_t workspace_size() const { return plan_.workspace_size(DCN_PASS_FORWARD); }

    void run(const floats &x, const floats &offset, const floats &mask, floats &y, bytes &workspace) const {
        dcn_forward_args args{};
        args.struct_size = sizeof args;
        args.x = x.data();
        args.offset = offset.data();
        args.mask = mask.data();
        args.packed_weight = packed_.data(); // in place of weight
        args.packed_weight_size = packed_.size();
        args.y = y.data();
        args.workspace = workspace.data();
        args.workspace_size = workspace.size();
        plan_.forward(args);
    }

private:
    deformconv::plan plan_;
    bytes packed_;
};

// Each channel by itself, 2/9 at each tap: with masks of 1/2 the mean of the taps.
floats mean_of_taps() {
    floats weight(C * C * TAPS);
    for (int64_t c = 0; c < C; c++)
        std::fill_n(&weight[(c * C + c) * TAPS], TAPS, 2.0f / TAPS);
    return weight;
}

// Writes the offset field that follows one motion in each deformable group.
void follow(std::initializer_list<motion> groups, floats &offset) {
    float *plane = offset.data();
    for (const motion &by : groups)
        for (int64_t k = 0; k < TAPS; k++) {
            plane = std::fill_n(plane, H * W, by.down);
            plane = std::fill_n(plane, H * W, by.right);
        }
}

// Writes a slope for each channel, half of which have moved by `first`, half by `second`.
void draw(motion first, motion second, floats &picture) {
    for (size_t i = 0; i < picture.size(); i++) {
        const size_t p = i / C / W, q = i / C % W, c = i % C;
        const motion &by = c < C / 2 ? first : second;
        picture[i] = float(c) + 2.0f * (float(p) - by.down) + 3.0f * (float(q) - by.right);
    }
}

float largest_difference(const floats &a, const floats &b, int64_t edge) {
    float largest = 0.0f;
    for (int64_t p = edge; p < H - edge; p++)
        for (int64_t i = (p * W + edge) * C; i < (p * W + W - edge) * C; i++)
            largest = std::fmax(largest, std::isnan(a[i]) ? INFINITY : std::fabs(a[i] - b[i]));
    return largest;
}

} // namespace

int main() try {
    dcn_context_config config{};
    config.struct_size = sizeof config;
    config.num_threads = 1; // an engine that shares out a layer gives its own threads as config.executor
    const deformconv::context context(config);
    const layer camera(context, convolution(1), mean_of_taps()), rest(context, convolution(2), mean_of_taps());
    bytes workspace(std::max(camera.workspace_size(), rest.workspace_size())); // they never run at the same time
    floats x(H * W * C), between(x), y(x), still(x), offset(2 * TAPS * 2 * H * W), mask(2 * TAPS * H * W, 0.5f);
    draw({0, 0}, {0, 0}, still);

    bool right = true;
    for (int frame = 1; frame <= 3; frame++) {
        const float t = float(frame);
        draw({2.25f * t, 0.5f * t}, {1.5f * t, 1.25f * t}, x);
        follow({{2.0f * t, 1.0f * t}}, offset);
        camera.run(x, offset, mask, between, workspace);
        follow({{0.25f * t, -0.5f * t}, {-0.5f * t, 0.25f * t}}, offset);
        rest.run(between, offset, mask, y, workspace);
        const float difference = largest_difference(y, still, 12);
        const bool same = difference < 1e-3f;
        std::printf("frame %d    at most %.1e from the still picture: %s\n", frame, difference, same ? "right" : "WRONG");
        right = right && same;
    }
    std::printf("workspace  %zu bytes, the same for both layers and all frames\n", workspace.size());
    return right ? 0 : 1;
} catch (const deformconv::error &e) {
    std::fprintf(stderr, "%s: %s\n", dcn_status_string(e.status()), e.what());
    return 1;
}
