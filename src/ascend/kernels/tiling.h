// What the host tells a kernel: one of these structs lies in device memory behind the kernel's last argument.
//
// Valid in AscendC and in host C++; src/ascend mirrors them with repr(C). Every field is an int64_t, so there is no
// padding and a kernel loads a struct as a row of 64-bit words. Strides and sizes are in elements.
#ifndef DCN_ASCEND_TILING_H
#define DCN_ASCEND_TILING_H

#include <cstdint>

namespace dcn {

// Output positions computed between two GEMMs. Either whole images (first = 0, positions = Ho*Wo) or a part of one
// (images = 1). Row r of a chunk's matrices is position first + r % positions of image image + r / positions.
struct Chunk {
    int64_t image;     // first image, counted from where all tensor arguments of the launch begin
    int64_t images;    // how many images
    int64_t first;     // first output position (p*Wo + q) of each image
    int64_t positions; // how many positions of each image
};

// dcn_sample, dcn_backward
struct SampleTiling {
    Chunk chunk;
    int64_t channels; // C
    int64_t height;   // H
    int64_t width;    // W
    int64_t out_width; // Wo
    int64_t out_plane; // Ho*Wo
    int64_t kernel_width; // kw
    int64_t taps;         // K = kh*kw
    int64_t stride_h;
    int64_t stride_w;
    int64_t pad_top;
    int64_t pad_left;
    int64_t dilation_h;
    int64_t dilation_w;
    int64_t groups; // of the col matrix: G, or 1 when the product is depthwise
    int64_t deformable_groups;
    // x (and grad_x): element (n, c, row, column) is at n*x_image + d(c)*x_deformable + row*x_row + column*x_column + c
    // mod C/D.
    int64_t x_image;
    int64_t x_deformable;
    int64_t x_row;
    int64_t x_column;
    int64_t accumulate_offset; // not 0: grad_offset is added to what is there
    int64_t accumulate_mask;   // not 0: grad_mask is added to what is there
};

// dcn_layout_in, dcn_layout_out: [batch][rows][columns] -> [batch][columns][rows]
struct LayoutTiling {
    int64_t batch;
    int64_t rows;
    int64_t columns;
    int64_t accumulate; // dcn_layout_out only. Not 0: added to what is there
};

// The dtype of the bias.
constexpr int64_t kBiasAbsent = 0;
constexpr int64_t kBiasOfTensors = 1; // the dtype in the kernel's name
constexpr int64_t kBiasFloat = 2;

// dcn_output, dcn_grad_output
struct OutputTiling {
    Chunk chunk;
    int64_t outputs;   // O
    int64_t out_plane; // Ho*Wo
    int64_t bias;      // dcn_output only: one of kBias...
};

// dcn_grad_bias
struct GradBiasTiling {
    int64_t batch; // N, may be 0
    int64_t outputs;
    int64_t out_plane;
    int64_t accumulate;
};

// dcn_depthwise_...
struct DepthwiseTiling {
    int64_t channels;   // C
    int64_t multiplier; // O / C
    int64_t taps;
    int64_t rows;       // of the chunk: images * positions
    int64_t accumulate; // dcn_depthwise_grad_weight only. Not 0: added to what is there (every chunk but the first)
};

} // namespace dcn

#endif
