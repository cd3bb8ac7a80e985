/*
 * deformconv for C++11 and later: owners of contexts and plans that throw where the C functions return a status.
 * It adds nothing else; problems and arguments are the structs of deformconv.h.
 *
 *     dcn_problem problem{};
 *     problem.struct_size = sizeof problem;
 *     ...
 *     deformconv::plan plan(problem);   // on the process-wide default context
 *     plan.forward(args);               // args: a dcn_forward_args; throws deformconv::error
 *
 * As in C, a const plan may be used by many threads at once, and a plan keeps what it needs of its context alive.
 */
#ifndef DEFORMCONV_DEFORMCONV_HPP
#define DEFORMCONV_DEFORMCONV_HPP

#include <deformconv/deformconv.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace deformconv {

/// A call that did not return DCN_OK; what() is the message that dcn_last_error_message gave.
class error : public std::runtime_error {
public:
    error(dcn_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
    dcn_status status() const noexcept { return status_; }

private:
    dcn_status status_;
};

/// Throws the last error of this thread unless `status`, which the call just made returned, is DCN_OK.
inline void check(dcn_status status) {
    if (status == DCN_OK)
        return;
    std::string message(dcn_last_error_message(nullptr, 0) + 1, '\0');
    dcn_last_error_message(&message[0], message.size());
    message.pop_back();
    throw error(status, message);
}

/// Owns a dcn_context. Empty, with get() == nullptr, once moved from.
class context {
public:
    context() { create(nullptr); }
    explicit context(const dcn_context_config &config) { create(&config); }
    const dcn_context *get() const noexcept { return owned_.get(); }

private:
    struct destroy {
        void operator()(dcn_context *c) const noexcept { dcn_context_destroy(c); }
    };

    void create(const dcn_context_config *config) {
        dcn_context *made = nullptr;
        check(dcn_context_create(config, &made));
        owned_.reset(made);
    }

    std::unique_ptr<dcn_context, destroy> owned_;
};

/// Owns a dcn_plan. Empty, with get() == nullptr, once moved from.
class plan {
public:
    explicit plan(const dcn_problem &problem) { create(nullptr, problem); }
    plan(const context &on, const dcn_problem &problem) { create(on.get(), problem); }
    const dcn_plan *get() const noexcept { return owned_.get(); }

    void forward(const dcn_forward_args &args) const { check(dcn_plan_forward(get(), &args)); }
    void backward(const dcn_backward_args &args) const { check(dcn_plan_backward(get(), &args)); }
    void pack_weight(const dcn_pack_args &args) const { check(dcn_plan_pack_weight(get(), &args)); }

    size_t workspace_size(dcn_pass pass) const {
        size_t bytes = 0;
        check(dcn_plan_workspace_size(get(), pass, &bytes));
        return bytes;
    }

    size_t packed_weight_size(dcn_pass pass) const {
        size_t bytes = 0;
        check(dcn_plan_packed_weight_size(get(), pass, &bytes));
        return bytes;
    }

    dcn_plan_info info() const {
        dcn_plan_info out{};
        out.struct_size = sizeof out;
        check(dcn_plan_get_info(get(), &out));
        return out;
    }

private:
    struct destroy {
        void operator()(dcn_plan *p) const noexcept { dcn_plan_destroy(p); }
    };

    void create(const dcn_context *on, const dcn_problem &problem) {
        dcn_plan *made = nullptr;
        check(dcn_plan_create(on, &problem, &made));
        owned_.reset(made);
    }

    std::unique_ptr<dcn_plan, destroy> owned_;
};

/// The y that the other fields of a problem imply, contiguous.
inline dcn_tensor_desc output_shape(const dcn_problem &problem) {
    dcn_tensor_desc y{};
    check(dcn_output_shape(&problem, &y));
    return y;
}

} // namespace deformconv

#endif
