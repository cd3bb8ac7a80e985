// aclTensor, aclScalar, and the two matrix products, in plain C++ with the strides given.
#include "state.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

struct Tensor {
    std::vector<int64_t> dims, strides;
    int64_t offset, storage;
    char *data;

    float *at(int64_t i, int64_t j) const {
        return reinterpret_cast<float *>(data) + offset + i * strides[0] + j * strides[1];
    }
};

struct Executor {
    const Tensor *operands[3];  // a, b, out; looked at until the product is started
    Tensor a, b, out;
    float beta, alpha;
    uint64_t workspace;
    bool repeatable;
};

constexpr int kF32 = 0, kNd = 2;
// Sums of products are made of parts of so many terms.
constexpr int64_t kBlock = 256;

int64_t product(const std::vector<int64_t> &dims) {
    int64_t product = 1;
    for (int64_t dim : dims) product *= dim;
    return product;
}

// What a plan may not rely on: a size that depends on all dimensions and on the operator, and not only by growing.
uint64_t workspace_size(const Tensor &a, const Tensor &b, bool adds) {
    const uint64_t m = a.dims[0], k = a.dims[1], n = b.dims[1];
    return (m + n + k) * 4 + (adds ? 8192 : 0) + (n % 64 != 0 ? 4096 : 0) + (m % 16 != 0 ? 2048 : 0) + state().more_workspace;
}

void multiply(const Tensor &a, const Tensor &b, const Tensor &out, float beta, float alpha) {
    const int64_t m = a.dims[0], depth = a.dims[1], n = b.dims[1];
    std::vector<float> sum(n), part(n);
    for (int64_t i = 0; i < m; i++) {
        sum.assign(n, 0.0f);
        for (int64_t first = 0; first < depth; first += kBlock) {
            part.assign(n, 0.0f);
            for (int64_t k = first; k < depth && k < first + kBlock; k++) {
                const float factor = *a.at(i, k);
                const float *const row = b.at(k, 0);
                for (int64_t j = 0; j < n; j++) part[j] += factor * row[j * b.strides[1]];
            }
            for (int64_t j = 0; j < n; j++) sum[j] += part[j];
        }
        // A beta of 0 does not read what is there.
        for (int64_t j = 0; j < n; j++) *out.at(i, j) = alpha * sum[j] + (beta == 0 ? 0 : beta * *out.at(i, j));
    }
}

bool known(const Tensor *tensor) { return state().tensors.count(tensor) != 0; }

aclError prepare(const Call &call, const Tensor *a, const Tensor *b, const Tensor *out, float beta, float alpha, int8_t precision,
                 uint64_t *size, void **executor) {
    if (!known(a) || !known(b) || !known(out)) return call.violation("an operand does not exist");
    if (precision != 0) return call.violation("cubeMathType is not 0: f32 would not stay f32");
    if (a->dims[1] != b->dims[0] || out->dims[0] != a->dims[0] || out->dims[1] != b->dims[1]) return call.violation("the sizes do not fit");
    Executor *const made = new Executor{{a, b, out}, *a, *b, *out, beta, alpha, workspace_size(*a, *b, beta != 0), false};
    state().executors.insert(made);
    *size = made->workspace;
    *executor = made;
    return kSuccess;
}

aclError start(const Call &call, void *workspace, uint64_t size, void *handle, void *stream_handle) {
    State &s = state();
    Executor *const executor = static_cast<Executor *>(handle);
    if (s.executors.count(executor) == 0) return call.violation("the executor does not exist");
    const Executor work = *executor;
    if (!work.repeatable) {
        s.executors.erase(executor);
        delete executor;
    }
    if (call.injected()) return kInjected;
    for (const Tensor *operand : work.operands) {
        if (!known(operand)) return call.violation("an operand was destroyed too early");
    }
    Stream *const stream = open_stream(call, stream_handle);
    if (stream == nullptr) return kInvalidParameter;
    if (size != work.workspace) return call.violation("the workspace size is not the one that was told");
    if (!on_device(workspace, size, stream->device)) return call.violation("the workspace is not on the device");
    for (const Tensor *tensor : {&work.a, &work.b, &work.out}) {
        if (!on_device(tensor->data, static_cast<size_t>(tensor->storage) * sizeof(float), stream->device)) {
            return call.violation("an operand is not on the device");
        }
    }
    stream->queue.push_back([=] {
        memset(workspace, 0xA5, size);
        multiply(work.a, work.b, work.out, work.beta, work.alpha);
        if (getenv("FAKE_ACL_SPOIL") != nullptr) *work.out.at(work.a.dims[0] / 2, work.b.dims[1] / 2) += 1;  // for tests of tests
        State &now = state();
        now.executed++;
        now.trace += "mm " + std::to_string(work.a.dims[0]) + " " + std::to_string(work.a.dims[1]) + " " +
                     std::to_string(work.b.dims[1]) + "\n";
        return kSuccess;
    });
    return kSuccess;
}

}  // namespace

extern "C" {

void *aclCreateTensor(const int64_t *dims, uint64_t rank, int type, const int64_t *strides, int64_t offset, int format,
                      const int64_t *storage, uint64_t storage_rank, void *data) {
    Call call("aclCreateTensor");
    if (call.injected()) return nullptr;
    if (rank != 2 || type != kF32 || format != kNd) {
        call.violation("it is no float matrix");
        return nullptr;
    }
    const std::vector<int64_t> shape(dims, dims + rank), steps(strides, strides + rank);
    const int64_t stored = product(std::vector<int64_t>(storage, storage + storage_rank));
    const int64_t last = offset + (shape[0] - 1) * steps[0] + (shape[1] - 1) * steps[1];
    if (shape[0] < 1 || shape[1] < 1 || steps[0] < 1 || steps[1] < 1 || last >= stored) {
        call.violation("the view leaves its storage");
        return nullptr;
    }
    const Tensor *const tensor = new Tensor{shape, steps, offset, stored, static_cast<char *>(data)};
    state().tensors.insert(tensor);
    return const_cast<Tensor *>(tensor);
}

aclError aclDestroyTensor(const void *handle) {
    Call call("aclDestroyTensor");
    if (state().tensors.erase(handle) == 0) return call.violation("the tensor does not exist");
    delete static_cast<const Tensor *>(handle);
    return call.injected() ? kInjected : kSuccess;
}

void *aclCreateScalar(void *value, int type) {
    Call call("aclCreateScalar");
    if (call.injected()) return nullptr;
    if (type != kF32) {
        call.violation("it is no float");
        return nullptr;
    }
    float *const scalar = new float(*static_cast<float *>(value));
    state().scalars.insert(scalar);
    return scalar;
}

aclError aclDestroyScalar(const void *handle) {
    Call call("aclDestroyScalar");
    if (state().scalars.erase(handle) == 0) return call.violation("the scalar does not exist");
    delete static_cast<const float *>(handle);
    return call.injected() ? kInjected : kSuccess;
}

aclError aclSetAclOpExecutorRepeatable(void *handle) {
    Call call("aclSetAclOpExecutorRepeatable");
    if (call.injected()) return kInjected;
    if (state().executors.count(handle) == 0) return call.violation("the executor does not exist");
    static_cast<Executor *>(handle)->repeatable = true;
    return kSuccess;
}

aclError aclDestroyAclOpExecutor(void *handle) {
    Call call("aclDestroyAclOpExecutor");
    if (state().executors.count(handle) == 0) return call.violation("the executor does not exist");
    Executor *const executor = static_cast<Executor *>(handle);
    if (!executor->repeatable) return call.violation("the executor is not repeatable");
    state().executors.erase(executor);
    delete executor;
    return call.injected() ? kInjected : kSuccess;
}

aclError aclnnMmGetWorkspaceSize(const void *self, const void *mat2, void *out, int8_t precision, uint64_t *size, void **executor) {
    Call call("aclnnMmGetWorkspaceSize");
    if (call.injected()) return kInjected;
    return prepare(call, static_cast<const Tensor *>(self), static_cast<const Tensor *>(mat2), static_cast<const Tensor *>(out), 0, 1,
                   precision, size, executor);
}

aclError aclnnMm(void *workspace, uint64_t size, void *executor, void *stream) {
    Call call("aclnnMm");
    return start(call, workspace, size, executor, stream);
}

aclError aclnnInplaceAddmmGetWorkspaceSize(void *self, const void *mat1, const void *mat2, const void *beta, const void *alpha,
                                           int8_t precision, uint64_t *size, void **executor) {
    Call call("aclnnInplaceAddmmGetWorkspaceSize");
    if (call.injected()) return kInjected;
    if (state().scalars.count(beta) == 0 || state().scalars.count(alpha) == 0) return call.violation("a scalar does not exist");
    return prepare(call, static_cast<const Tensor *>(mat1), static_cast<const Tensor *>(mat2), static_cast<const Tensor *>(self),
                   *static_cast<const float *>(beta), *static_cast<const float *>(alpha), precision, size, executor);
}

aclError aclnnInplaceAddmm(void *workspace, uint64_t size, void *executor, void *stream) {
    Call call("aclnnInplaceAddmm");
    return start(call, workspace, size, executor, stream);
}

}  // extern "C"
