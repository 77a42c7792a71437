#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "vmx/rules/entry_check.hpp"
#include "vmx/rules/state.hpp"

namespace hyperstep::vmx {

/// Valid states, complete on the processor `all`, each with a valid 64-bit host unless it says otherwise.
enum class BaseState : std::uint8_t {
    long_mode,     ///< 64-bit guest, IA-32e mode, EPT
    pae,           ///< 32-bit guest with PAE paging, EPT, PDPTEs in the VMCS
    protected_32,  ///< 32-bit guest with 32-bit paging, EPT
    real_mode,     ///< real-address mode, unrestricted guest
    virtual_8086,  ///< virtual-8086 mode, 32-bit paging
    host_32,       ///< 32-bit guest with 32-bit paging and a host outside IA-32e mode
};
inline constexpr BaseState all_base_states[] = {BaseState::long_mode,
                                                BaseState::pae,
                                                BaseState::protected_32,
                                                BaseState::real_mode,
                                                BaseState::virtual_8086,
                                                BaseState::host_32};
std::string_view to_string(BaseState b);
/// The state itself: a fresh copy.
State base_state(BaseState b);

/// One literal change to a state.
struct Change {
    enum class Kind : std::uint8_t {
        assign,      ///< slot := value
        set_bits,    ///< slot := slot OR value
        clear_bits,  ///< slot := slot AND NOT value
        msr_entry,   ///< append `entry` to the MSR-load area and count it in entry_msr_load_count
    };
    Kind kind = Kind::assign;
    Slot slot = Slot::count;
    std::uint64_t value = 0;
    MsrEntry entry{};
};
constexpr Change assign(Slot s, std::uint64_t value) {
    return {Change::Kind::assign, s, value, {}};
}
constexpr Change set_bits(Slot s, std::uint64_t bits) {
    return {Change::Kind::set_bits, s, bits, {}};
}
constexpr Change clear_bits(Slot s, std::uint64_t bits) {
    return {Change::Kind::clear_bits, s, bits, {}};
}
constexpr Change msr_entry(std::uint32_t index, std::uint64_t value, std::uint32_t reserved = 0) {
    return {Change::Kind::msr_entry, Slot::count, 0, MsrEntry{index, reserved, value}};
}
/// Sets a control's own bit. The bit that activates its word is a change of its own.
Change turn_on(Control c);

void apply(State& state, std::span<const Change> changes);

/// The edge of one rule: from a valid state, literal changes that break exactly this rule, and nearest ones
/// that do not.
struct Boundary {
    std::string_view id;
    BaseState base;
    std::vector<Change> broken;  ///< empty only for a rule whose outcome is "no failure"
    std::vector<Change> twin;
    std::vector<std::string_view> also_broken;  ///< rules that break with this one, necessarily
};

/// All boundaries in the order of all_checks(), at least one a check.
std::span<const Boundary> all_boundaries();

State broken_state(const Boundary& b);
State twin_state(const Boundary& b);

// The parts of all_boundaries(), a file each beside entry_checks/.
std::vector<Boundary> instruction_boundaries();
std::vector<Boundary> control_boundaries();             ///< words of controls, APIC and interrupts
std::vector<Boundary> control_address_boundaries();     ///< addresses of the structures that controls name
std::vector<Boundary> ept_control_boundaries();         ///< EPT and what needs it, tertiary controls, PASID
std::vector<Boundary> exit_entry_control_boundaries();  ///< VM-exit and VM-entry controls, MSR areas
std::vector<Boundary> event_injection_boundaries();
std::vector<Boundary> smm_boundaries();
std::vector<Boundary> host_boundaries();  ///< host registers, MSRs and segments
std::vector<Boundary> host_address_space_boundaries();
std::vector<Boundary> guest_register_boundaries();  ///< guest control and debug registers
std::vector<Boundary> guest_msr_boundaries();
std::vector<Boundary> guest_segment_boundaries();  ///< selectors and bases; FRED
std::vector<Boundary> guest_segment_v86_boundaries();
std::vector<Boundary> guest_segment_type_boundaries();
std::vector<Boundary> guest_segment_privilege_boundaries();  ///< DPL
std::vector<Boundary> guest_segment_rights_boundaries();     ///< present, reserved bits, L with D/B
std::vector<Boundary> guest_segment_granularity_boundaries();
std::vector<Boundary> guest_system_segment_boundaries();  ///< TR, LDTR, GDTR, IDTR
std::vector<Boundary> guest_rip_rflags_boundaries();      ///< with SSP
std::vector<Boundary> guest_activity_boundaries();
std::vector<Boundary> guest_interruptibility_boundaries();
std::vector<Boundary> guest_non_register_boundaries();  ///< pending debug exceptions, VMCS link pointer
std::vector<Boundary> guest_pdpte_boundaries();
std::vector<Boundary> msr_load_boundaries();
std::vector<Boundary> msr_value_boundaries();     ///< load.msr.wrmsr_gp: what each MSR takes
std::vector<Boundary> msr_presence_boundaries();  ///< load.msr.wrmsr_gp: which MSRs exist

}  // namespace hyperstep::vmx
