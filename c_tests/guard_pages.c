/* Both passes with every tensor, the workspace and the gradients flush with a page that may not be touched, first
   behind them, then in front of them: whoever reads or writes one element too many ends the program. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "check.h"
#include "fixture.h"

#include <sys/mman.h>
#include <unistd.h>

#ifdef __x86_64__
#define ISA_BETWEEN "avx2"
#else
#define ISA_BETWEEN "scalar"
#endif

enum end { BEHIND, IN_FRONT };

/* `bytes` between two untouchable pages, flush with the one at `end`; never unmapped. */
static void *guarded(size_t bytes, enum end end) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (bytes + page - 1) / page * page;
    char *map = (char *)mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != (char *)MAP_FAILED);
    CHECK(mprotect(map + page, inside, PROT_READ | PROT_WRITE) == 0);
    return end == IN_FRONT ? map + page : map + page + inside - bytes;
}

static float *copied(const float *from, size_t n, enum end end) {
    float *to = (float *)guarded(n * sizeof *to, end);
    memcpy(to, from, n * sizeof *to);
    return to;
}

static void *workspace(const dcn_plan *plan, dcn_pass pass, size_t *bytes, enum end end) {
    CHECK_OK(dcn_plan_workspace_size(plan, pass, bytes));
    return guarded(*bytes, end);
}

/* N, C, H, W, O, D, G: tails of every vector, one panel and more, groups, depthwise; then weights that are packed a
   part at a time, block by block forward, and by output channels backward. */
static const int64_t shapes[][7] = {{1, 1, 1, 1, 1, 1, 1},    {2, 3, 5, 7, 5, 3, 1},     {1, 16, 9, 11, 33, 2, 1},
                                    {2, 17, 6, 13, 31, 1, 1}, {1, 12, 8, 12, 18, 4, 3},  {2, 35, 7, 14, 35, 5, 35},
                                    {1, 530, 2, 2, 540, 1, 1}, {1, 60000, 1, 1, 2, 1, 1}, {1, 16, 1, 1, 14000, 1, 1}};

static void run(const char *isa, const int64_t s[7], enum end end) {
    fixture f = fixture_new(s[0], s[1], s[2], s[3], s[4], s[5]);
    f.problem.groups = s[6];
    f.problem.weight.dims[1] /= s[6];
    f.weight_len /= (size_t)s[6];
    f.problem.passes = 0;
    dcn_context_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.num_threads = 1;
    config.max_isa = isa;
    dcn_context *context = NULL;
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_context_create(&config, &context));
    CHECK_OK(dcn_plan_create(context, &f.problem, &plan));

    dcn_forward_args forward;
    memset(&forward, 0, sizeof forward);
    forward.struct_size = sizeof forward;
    forward.x = copied(f.x, f.x_len, end);
    forward.offset = copied(f.offset, f.offset_len, end);
    forward.mask = copied(f.mask, f.mask_len, end);
    forward.weight = copied(f.weight, f.weight_len, end);
    forward.bias = copied(f.bias, f.bias_len, end);
    forward.y = guarded(f.y_len * sizeof(float), end);
    forward.workspace = workspace(plan, DCN_PASS_FORWARD, &forward.workspace_size, end);
    CHECK_OK(dcn_plan_forward(plan, &forward));

    dcn_backward_args backward;
    memset(&backward, 0, sizeof backward);
    backward.struct_size = sizeof backward;
    backward.x = forward.x, backward.offset = forward.offset, backward.mask = forward.mask;
    backward.weight = forward.weight;
    backward.grad_y = copied((const float *)forward.y, f.y_len, end);
    backward.grad_x = guarded(f.x_len * sizeof(float), end);
    backward.grad_offset = guarded(f.offset_len * sizeof(float), end);
    backward.grad_mask = guarded(f.mask_len * sizeof(float), end);
    backward.grad_weight = guarded(f.weight_len * sizeof(float), end);
    backward.grad_bias = guarded(f.bias_len * sizeof(float), end);
    backward.workspace = workspace(plan, DCN_PASS_BACKWARD, &backward.workspace_size, end);
    CHECK_OK(dcn_plan_backward(plan, &backward));
    backward.accumulate = DCN_GRAD_X | DCN_GRAD_OFFSET | DCN_GRAD_MASK | DCN_GRAD_WEIGHT | DCN_GRAD_BIAS;
    CHECK_OK(dcn_plan_backward(plan, &backward));

    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
    fixture_free(&f);
}

int main(void) {
    static const char *const isas[] = {"scalar", ISA_BETWEEN, NULL};
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
            for (int end = BEHIND; end <= IN_FRONT; end++)
                run(isas[i], shapes[k], (enum end)end);
    return 0;
}
