/* Warps a photograph with a deformable convolution:
 *
 *     warp swirl|lens in.ppm out.ppm
 *
 * The nine taps of a 3x3 kernel are moved to points half a pixel apart around the place that the warp takes each pixel
 * from, and averaged with binomial weights: the picture is resampled and freed of aliasing in one pass. Three groups
 * keep red, green and blue apart. The pixels stay interleaved as the file has them; strides say so. */
#include "example.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { CHANNELS = 3, KERNEL = 3, TAPS = KERNEL * KERNEL };

typedef struct image {
    int64_t width, height;
    float *pixels; /* rows of red, green, blue from 0 to 255 */
} image;

typedef struct point {
    double y, x;
} point;

static void fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

/* The next number of a PPM header, past white space and comments; -1 if there is none. */
static long header_number(FILE *file)
{
    long number = -1;
    int c = getc(file);
    while (c == '#' || isspace(c)) {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = getc(file);
        c = getc(file);
    }
    ungetc(c, file);
    return fscanf(file, "%6ld", &number) == 1 ? number : -1;
}

static image read_ppm(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail(path, "cannot be opened");
    if (getc(file) != 'P' || getc(file) != '6')
        fail(path, "is no binary PPM (P6)");
    image picture = {0};
    picture.width = header_number(file);
    picture.height = header_number(file);
    if (picture.width < 1 || picture.height < 1 || picture.width > 32768 || picture.height > 32768)
        fail(path, "has no sizes from 1 to 32768");
    if (header_number(file) != 255)
        fail(path, "has another depth than 8 bits");
    getc(file); /* the one white space before the pixels */
    size_t n = (size_t)(picture.width * picture.height * CHANNELS);
    picture.pixels = memory(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        int byte = getc(file);
        if (byte == EOF)
            fail(path, "ends too early");
        picture.pixels[i] = (float)byte;
    }
    fclose(file);
    return picture;
}

static void write_ppm(const char *path, image picture)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        fail(path, "cannot be written");
    fprintf(file, "P6\n%ld %ld\n255\n", (long)picture.width, (long)picture.height);
    size_t n = (size_t)(picture.width * picture.height * CHANNELS);
    for (size_t i = 0; i < n; i++)
        putc((int)fminf(fmaxf(picture.pixels[i] + 0.5f, 0.0f), 255.0f), file);
    int broken = ferror(file);
    if (fclose(file) != 0 || broken)
        fail(path, "could not be written in full");
}

/* Turns by half a turn in the middle, less and less towards the rim; distances are in units of the rim's radius. */
static point swirl(point at)
{
    double r = hypot(at.y, at.x), rest = r < 1.0 ? 1.0 - r : 0.0;
    double angle = 3.14159265358979 * rest * rest;
    point from = {cos(angle) * at.y + sin(angle) * at.x, cos(angle) * at.x - sin(angle) * at.y};
    return from;
}

/* Magnifies two and a half times in the middle, not at all at the rim. */
static point lens(point at)
{
    double r = hypot(at.y, at.x), scale = r < 1.0 ? 0.4 + 0.6 * r * r : 1.0;
    point from = {scale * at.y, scale * at.x};
    return from;
}

/* Samples beyond the image count 0, which would darken the edge: take the edge itself. */
static double within(double value, double last)
{
    return fmin(fmax(value, 0.0), last);
}

/* offset[2*tap][p][q]: how far tap (i, j) of output pixel (p, q) moves down from p + i - 1; [2*tap + 1]: right from
 * q + j - 1. */
static float *offset_field(int64_t height, int64_t width, point (*warp)(point))
{
    int64_t area = height * width;
    float *offset = memory((size_t)(2 * TAPS * area) * sizeof(float));
    double middle_y = (double)(height - 1) / 2, middle_x = (double)(width - 1) / 2;
    double rim = 0.95 * fmax(1.0, fmin(middle_y, middle_x));
    for (int64_t tap = 0; tap < TAPS; tap++) {
        int64_t i = tap / KERNEL - 1, j = tap % KERNEL - 1;
        for (int64_t at = 0; at < area; at++) {
            int64_t p = at / width, q = at % width;
            point to = {((double)p + 0.5 * (double)i - middle_y) / rim, ((double)q + 0.5 * (double)j - middle_x) / rim};
            point from = warp(to);
            double y = within(from.y * rim + middle_y, (double)(height - 1));
            double x = within(from.x * rim + middle_x, (double)(width - 1));
            offset[2 * tap * area + at] = (float)(y - (double)(p + i));
            offset[(2 * tap + 1) * area + at] = (float)(x - (double)(q + j));
        }
    }
    return offset;
}

/* [1, 3, height, width] seen in interleaved pixels: the next channel is the next float. */
static dcn_tensor_desc interleaved(image picture)
{
    dcn_tensor_desc t = {
        .dtype = DCN_F32,
        .rank = 4,
        .layout = DCN_LAYOUT_STRIDED,
        .dims = {1, CHANNELS, picture.height, picture.width},
        .strides = {picture.height * picture.width * CHANNELS, 1, picture.width * CHANNELS, CHANNELS},
    };
    return t;
}

int main(int argc, char **argv)
{
    point (*warp)(point) = argc != 4                      ? NULL
                           : strcmp(argv[1], "swirl") == 0 ? swirl
                           : strcmp(argv[1], "lens") == 0  ? lens
                                                           : NULL;
    if (warp == NULL) {
        fprintf(stderr, "usage: %s swirl|lens in.ppm out.ppm\n", argv[0]);
        return 2;
    }
    image in = read_ppm(argv[2]), out = in;
    out.pixels = memory((size_t)(in.height * in.width * CHANNELS) * sizeof(float));
    float *offset = offset_field(in.height, in.width, warp);
    float weight[CHANNELS * TAPS]; /* [1 2 1; 2 4 2; 1 2 1] / 16 for each colour */
    for (int k = 0; k < CHANNELS * TAPS; k++)
        weight[k] = (float)((2 - abs(k % TAPS / KERNEL - 1)) * (2 - abs(k % KERNEL - 1))) / 16.0f;

    dcn_problem problem = {
        .struct_size = sizeof problem,
        .passes = 1 << DCN_PASS_FORWARD,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 1,
        .groups = CHANNELS,
        .x = interleaved(in),
        .offset = f32_tensor(1, 2 * TAPS, in.height, in.width),
        .weight = f32_tensor(CHANNELS, 1, KERNEL, KERNEL),
        .y = interleaved(out),
    }; /* no mask, no bias */
    dcn_forward_args run = {
        .struct_size = sizeof run,
        .x = in.pixels,
        .offset = offset,
        .weight = weight,
        .y = out.pixels,
    };
    check(dcn_modulated_deform_conv2d(NULL, &problem, &run), "dcn_modulated_deform_conv2d");

    write_ppm(argv[3], out);
    printf("%s: %s, %ld x %ld pixels\n", argv[3], argv[1], (long)out.width, (long)out.height);
    free(offset);
    free(out.pixels);
    free(in.pixels);
    return 0;
}
