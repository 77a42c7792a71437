#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vmx/rules/slots.hpp"

namespace hyperstep::vmx {

/// A section of the manual, by its title.
enum class Section : std::uint8_t {
#define SECTION(identifier, title) identifier,
#include "vmx/rules/sections.def"
#undef SECTION
};
std::string_view title(Section s);

/// When a check is made. Stages run in this order; controls before host is a choice (option
/// control_and_host_order).
enum class Stage : std::uint8_t { instruction, control, host, guest, msr_load };
std::string_view to_string(Stage s);
/// A check's stage follows from the first word of its id.
constexpr Stage stage_of(std::string_view id) {
    if (id.starts_with("instr.")) return Stage::instruction;
    if (id.starts_with("host.")) return Stage::host;
    if (id.starts_with("guest.")) return Stage::guest;
    if (id.starts_with("load.")) return Stage::msr_load;
    return Stage::control;  // "ctl." and "smm."
}

/// What the processor does when a check fails.
struct Outcome {
    enum class Kind : std::uint8_t {
        none,            ///< nothing: the row states a side effect, or that something must not fail
        fault,           ///< exception `number` (6 #UD, 13 #GP(0))
        vm_exit,         ///< VM exit from VMX non-root operation: 20 for VMLAUNCH, 24 for VMRESUME
        vmfail_invalid,  ///< RFLAGS.CF := 1
        vmfail_valid,    ///< RFLAGS.ZF := 1, VM-instruction error `number`
        entry_failure,   ///< VM exit with reason 0x80000000 | `number` and `qualification`
    };
    Kind kind = Kind::none;
    std::uint8_t number = 0;
    /// For reason 34 this is the number of the failing MSR-load entry, known only when evaluated.
    std::uint8_t qualification = 0;

    friend constexpr bool operator==(const Outcome&, const Outcome&) = default;
};
/// "VMfailValid(7)", "exit 0x80000021, qualification 4", ...
std::string to_string(const Outcome& o);

inline constexpr Outcome invalid_opcode{Outcome::Kind::fault, 6};
inline constexpr Outcome general_protection{Outcome::Kind::fault, 13};
inline constexpr Outcome exits_to_root{Outcome::Kind::vm_exit, 20};
inline constexpr Outcome vmfail_invalid{Outcome::Kind::vmfail_invalid};
constexpr Outcome vmfail_valid(std::uint8_t error) {
    return {Outcome::Kind::vmfail_valid, error};
}
constexpr Outcome guest_state_failure(std::uint8_t qualification) {
    return {Outcome::Kind::entry_failure, 33, qualification};
}
inline constexpr Outcome msr_load_failure{Outcome::Kind::entry_failure, 34};
inline constexpr Outcome no_failure{};

/// The slots that a check reads: those of its condition and of its rule.
class ReadSet {
public:
    constexpr ReadSet(std::initializer_list<Slot> slots) {
        for (const Slot s : slots) slots_[count_++] = s;
    }
    constexpr const Slot* begin() const { return slots_.data(); }
    constexpr const Slot* end() const { return slots_.data() + count_; }
    constexpr std::size_t size() const { return count_; }

private:
    std::array<Slot, 20> slots_{};
    std::size_t count_ = 0;
};

/// One VM-entry check: a row of the manual's lists. The predicates are beside it (check_code.hpp).
struct EntryCheck {
    std::string_view id;  ///< stable for ever
    Stage stage;
    Section section;
    Outcome outcome;
    std::string_view when;  ///< when it applies; empty: always
    std::string_view rule;  ///< what must hold
    ReadSet reads;
};

/// All checks in architectural order (that of the manual's text, controls before host).
std::span<const EntryCheck> all_checks();
/// The position of a check in all_checks(); nothing for an unknown id.
std::optional<std::size_t> find_check(std::string_view id);

}  // namespace hyperstep::vmx
