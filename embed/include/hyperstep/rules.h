/* The VM-entry checks of Hyperstep for C and for anything that can call C.
 *
 * A state holds what a VM entry looks at: VMCS fields by encoding, capability MSRs by index, and named facts.
 * What has not been set is unknown; hs_state_complete() makes every unknown field 0. Functions never keep pointers
 * that they are given, and never write outside the buffers that they are given. Strings that they return live as long
 * as the library. One state must not be used by two threads at once; different states may.
 */
#ifndef HYPERSTEP_RULES_H
#define HYPERSTEP_RULES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HS_RULES_VERSION 1

#if defined(__GNUC__)
#define HS_API __attribute__((visibility("default")))
#else
#define HS_API
#endif

typedef struct hs_state hs_state;

/* What can be said of one rule. */
enum hs_standing { HS_NOT_APPLICABLE = 0, HS_HOLDS = 1, HS_BROKEN = 2, HS_UNKNOWN = 3 };

/* What the processor does with an entry. */
enum hs_outcome {
    HS_ENTERS = 0,         /* no rule is broken */
    HS_FAULT = 1,          /* number: vector (6 #UD, 13 #GP(0)) */
    HS_EXITS = 2,          /* VM exit from VMX non-root operation; number: reason */
    HS_VMFAIL_INVALID = 3,
    HS_VMFAIL_VALID = 4,   /* number: VM-instruction error */
    HS_ENTRY_FAILURE = 5   /* number: basic exit reason 33 or 34; qualification: as the processor reports it */
};

struct hs_result {
    int32_t outcome;         /* enum hs_outcome */
    uint32_t number;
    uint64_t qualification;
    const char* rule;        /* id of the first broken rule, NULL if the processor enters */
};

struct hs_rule {
    const char* id;
    const char* section;     /* title in the SDM */
    const char* when;        /* when it applies; empty: always */
    const char* rule;        /* what must hold */
    const char* outcome;     /* in words */
};

/* HS_RULES_VERSION of the library in use. */
HS_API int hs_version(void);

/* The rules in architectural order. hs_rule_at returns 0, or -1 if there is no such index. */
HS_API size_t hs_rule_count(void);
HS_API int hs_rule_at(size_t index, struct hs_rule* out);

/* A state on a processor: a preset's name, or NULL for an unknown processor. NULL if there is no such preset or no memory. */
HS_API hs_state* hs_state_new(const char* cpu);
/* A valid complete state on the processor `all`: "long-mode", "pae", "protected-32", "real-mode", "virtual-8086", "host-32". */
HS_API hs_state* hs_state_preset(const char* name);
HS_API hs_state* hs_state_copy(const hs_state* state);
HS_API void hs_state_free(hs_state* state);

/* Each returns 0, or -1 if there is no such field, MSR or name. Bits that a field cannot hold are dropped. */
HS_API int hs_set_field(hs_state* state, uint32_t encoding, uint64_t value);
HS_API int hs_get_field(const hs_state* state, uint32_t encoding, uint64_t* value, uint64_t* known_bits);
HS_API int hs_set_capability_msr(hs_state* state, uint32_t index, uint64_t value);
/* Any other slot by its printed name: "MAXPHYADDR", "cpl", "mem.vtpr", "nmi_under_sti", ... */
HS_API int hs_set_named(hs_state* state, const char* name, uint64_t value);
/* Appends an entry to the VM-entry MSR-load area and counts it in the count field. -1 beyond 4096 entries. */
HS_API int hs_add_msr_load(hs_state* state, uint32_t index, uint64_t value);
/* Every field, processor-state and memory slot that is unknown becomes 0. */
HS_API void hs_state_complete(hs_state* state);

/* What the processor reports: the first rule that is broken whatever the unknowns are. */
HS_API struct hs_result hs_first_broken(const hs_state* state);
/* The standing of each rule, in their order, into `out` (enum hs_standing); writes at most `room`, returns the rule count. */
HS_API size_t hs_standings(const hs_state* state, uint8_t* out, size_t room);

/* The boundary of a rule: how many pairs of states it has, and the pair `index` of them. The states are the caller's to
 * free; broken is NULL for a rule that states a side effect. 0, or -1 if there is no such rule or pair. */
HS_API size_t hs_boundary_count(const char* rule);
HS_API int hs_boundary(const char* rule, size_t index, hs_state** broken, hs_state** twin);

#ifdef __cplusplus
}
#endif
#endif
