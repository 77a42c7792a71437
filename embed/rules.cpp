#include "embed/include/hyperstep/rules.h"

#include <algorithm>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/capabilities.hpp"
#include "vmx/rules/evaluate.hpp"

namespace vmx = hyperstep::vmx;

struct hs_state {
    vmx::State state;
};

namespace {

hs_state* allocate(const vmx::State& state) {
    return new (std::nothrow) hs_state{state};
}

/// The outcome of each rule in words, made once: C callers get pointers into it.
const char* outcome_text(std::size_t index) {
    static const auto texts = [] {
        std::vector<std::string> all;
        for (const vmx::EntryCheck& check : vmx::all_checks()) all.push_back(vmx::to_string(check.outcome));
        return all;
    }();
    return texts[index].c_str();
}

hs_outcome outcome_of(vmx::Outcome::Kind kind) {
    using Kind = vmx::Outcome::Kind;
    switch (kind) {
        case Kind::fault: return HS_FAULT;
        case Kind::vm_exit: return HS_EXITS;
        case Kind::vmfail_invalid: return HS_VMFAIL_INVALID;
        case Kind::vmfail_valid: return HS_VMFAIL_VALID;
        case Kind::entry_failure: return HS_ENTRY_FAILURE;
        case Kind::none: break;
    }
    return HS_ENTERS;
}

const vmx::Boundary* boundary_at(std::string_view rule, std::size_t index) {
    for (const vmx::Boundary& b : vmx::all_boundaries())
        if (b.id == rule && index-- == 0) return &b;
    return nullptr;
}

}  // namespace

extern "C" {

int hs_version(void) {
    return HS_RULES_VERSION;
}

size_t hs_rule_count(void) {
    return vmx::all_checks().size();
}

int hs_rule_at(size_t index, hs_rule* out) {
    if (out == nullptr || index >= vmx::all_checks().size()) return -1;
    const vmx::EntryCheck& check = vmx::all_checks()[index];
    // The tables are made of string literals, which end with a 0.
    *out = {check.id.data(),
            vmx::title(check.section).data(),
            check.when.data(),
            check.rule.data(),
            outcome_text(index)};
    return 0;
}

hs_state* hs_state_new(const char* cpu) {
    vmx::State state;
    if (cpu != nullptr) {
        const auto cap = vmx::preset(cpu);
        if (!cap) return nullptr;
        vmx::install(state, *cap);
    }
    return allocate(state);
}

hs_state* hs_state_preset(const char* name) {
    if (name == nullptr) return nullptr;
    for (const vmx::BaseState base : vmx::all_base_states)
        if (vmx::to_string(base) == name) return allocate(vmx::base_state(base));
    return nullptr;
}

hs_state* hs_state_copy(const hs_state* state) {
    return state == nullptr ? nullptr : allocate(state->state);
}

void hs_state_free(hs_state* state) {
    delete state;
}

int hs_set_field(hs_state* state, uint32_t encoding, uint64_t value) {
    const auto field = vmx::field_with_encoding(encoding);
    if (state == nullptr || !field) return -1;
    const vmx::Slot slot = vmx::slot_of(*field);
    if ((encoding & 1U) != 0) {  // high access: bits 63:32
        const vmx::PartialWord low = state->state[slot];
        state->state.set(slot, {value << 32U | (low.value & 0xffff'ffff), low.known | 0xffff'ffff'0000'0000});
        return 0;
    }
    state->state.set(slot, value);
    return 0;
}

int hs_get_field(const hs_state* state, uint32_t encoding, uint64_t* value, uint64_t* known_bits) {
    const auto field = vmx::field_with_encoding(encoding);
    if (state == nullptr || value == nullptr || !field) return -1;
    const vmx::PartialWord word = state->state[vmx::slot_of(*field)];
    const unsigned shift = (encoding & 1U) != 0 ? 32 : 0;
    *value = word.value >> shift;
    if (known_bits != nullptr) *known_bits = word.known >> shift;
    return 0;
}

int hs_set_capability_msr(hs_state* state, uint32_t index, uint64_t value) {
    const auto slot = vmx::capability_slot(index);
    if (state == nullptr || !slot) return -1;
    state->state.set(*slot, value);
    return 0;
}

int hs_set_named(hs_state* state, const char* name, uint64_t value) {
    if (state == nullptr || name == nullptr) return -1;
    const auto slot = vmx::slot_named(name);
    if (!slot) return -1;
    if (vmx::info(*slot).kind == vmx::SlotKind::option && value > 1) return -1;
    state->state.set(*slot, value);
    return 0;
}

int hs_add_msr_load(hs_state* state, uint32_t index, uint64_t value) {
    if (state == nullptr || state->state.msr_load.size() >= vmx::max_msr_entries) return -1;
    const vmx::Change change = vmx::msr_entry(index, value);
    vmx::apply(state->state, {&change, 1});
    return 0;
}

void hs_state_complete(hs_state* state) {
    if (state != nullptr) state->state.complete_with_zeros();
}

hs_result hs_first_broken(const hs_state* state) {
    if (state == nullptr) return {HS_ENTERS, 0, 0, nullptr};
    const auto failure =
        state->state.complete() ? vmx::first_broken_exact(state->state) : vmx::first_broken(state->state);
    if (!failure) return {HS_ENTERS, 0, 0, nullptr};
    const vmx::EntryCheck& check = vmx::check_of(*failure);
    return {outcome_of(check.outcome.kind),
            check.outcome.number,
            vmx::qualification_of(*failure),
            check.id.data()};
}

size_t hs_standings(const hs_state* state, uint8_t* out, size_t room) {
    const std::size_t count = vmx::all_checks().size();
    if (state == nullptr || out == nullptr) return count;
    const auto findings = vmx::evaluate_all(state->state);
    for (std::size_t i = 0; i < std::min(count, room); ++i)
        out[i] = static_cast<std::uint8_t>(findings[i].standing);
    return count;
}

size_t hs_boundary_count(const char* rule) {
    if (rule == nullptr) return 0;
    const std::string_view id{rule};
    return static_cast<std::size_t>(std::count_if(vmx::all_boundaries().begin(),
                                                  vmx::all_boundaries().end(),
                                                  [&](const vmx::Boundary& b) { return b.id == id; }));
}

int hs_boundary(const char* rule, size_t index, hs_state** broken, hs_state** twin) {
    if (rule == nullptr || broken == nullptr || twin == nullptr) return -1;
    const vmx::Boundary* boundary = boundary_at(rule, index);
    if (boundary == nullptr) return -1;
    *broken = boundary->broken.empty() ? nullptr : allocate(vmx::broken_state(*boundary));
    *twin = allocate(vmx::twin_state(*boundary));
    return 0;
}

}  // extern "C"
