/* What tests tell the fake ACL library, and ask it. Everything else about it is CANN's own interface, and the variable
   FAKE_ACL_SPOIL of the environment, which makes each matrix product wrong in one element. */
#ifndef FAKE_ACL_CONTROL_H
#define FAKE_ACL_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Forgets calls, violations, injected failures, work that waits and handles left behind; devices, memory and loaded
   kernels stay. */
void fake_reset(void);
/* Makes the k-th ACL call from now (1 = the next) fail; 0 = none. Counts the calls of all threads. */
void fake_fail_call(uint64_t k);
/* ACL calls since the last reset or fake_fail_call. */
uint64_t fake_calls(void);
/* The name of the call that was made to fail, or "". */
const char *fake_failed_call(void);
/* What CANN would not have forgiven since the last reset, one line each; the text stays valid until the next call. */
const char *fake_violations(void);

/* Handles alive: tensors, scalars, operator executors. */
uint64_t fake_live_handles(void);
/* Handles of loaded kernel binaries, and descriptions of binaries. */
uint64_t fake_live_binaries(void);
/* Operations that wait on all streams. */
uint64_t fake_pending(void);
/* Kernels and matrix products that have run since the last reset. */
uint64_t fake_executed(void);
/* Calls of functions that change what the caller set up: aclInit, aclrtSetDevice, aclrtSynchronizeStream, ... since the
   last reset. */
uint64_t fake_setup_calls(void);
/* One line for each operation since the last reset, in the order they ran: "kernel <name> <blocks>", "mm <m> <k> <n>",
   "memset <bytes>". */
const char *fake_trace(void);

void fake_set_soc(const char *name);
/* At most 8; those from `count` on do not exist. */
void fake_set_devices(uint32_t count);
void fake_set_vector_cores(uint32_t count);
/* Lets matrix products ask for so many bytes more than they do at first. */
void fake_set_product_workspace(uint64_t more);

#ifdef __cplusplus
}
#endif
#endif
