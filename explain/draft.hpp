#pragma once
#include <bitset>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "explain/dump.hpp"
#include "explain/record_joiner.hpp"
#include "explain/words.hpp"

namespace hyperstep::explain {

/// A dump while its lines arrive.
class Draft {
public:
    explicit Draft(Format format, const Record& first);

    /// Counts a line as part of the dump.
    void extend(const Record& record);
    /// A field's printed value. One that the field cannot hold, or that differs from one shown before, is a
    /// remark and leaves the field unknown.
    void show(vmx::Slot slot, const Number& number);
    /// The same for a text that should be a number and may not be one; true if it is.
    bool show(vmx::Slot slot, std::string_view text);
    void show(vmx::Slot slot, vmx::PartialWord word);
    void remark(std::string text);

    bool shows(vmx::Slot slot) const { return shown_[vmx::position(slot)]; }
    std::size_t fields_shown() const { return shown_.count(); }

    Dump dump;

private:
    std::bitset<vmx::slot_count> shown_;
    std::bitset<vmx::slot_count> disputed_;
};

/// The whole exit reason says that an entry failed: bit 31 with a basic reason.
constexpr bool is_entry_failure(std::uint32_t reason) {
    return (reason & 0x8000'0000U) != 0 && (reason & 0xffffU) != 0;
}

inline constexpr std::string_view remark_of_earlier_exit =
    "the exit reason shown is that of an earlier VM exit: the entry ended with a VM-instruction error";

/// Fills `reported` from the VM-exit information fields, as far as they are known and it says nothing yet.
/// Next to a VM-instruction error that the hypervisor itself named they are those of an earlier exit.
void report_from_fields(Dump& dump);

/// Finished dumps, at most 10,000.
class DumpStore {
public:
    void add(Dump&& dump);
    bool full() const;
    std::vector<Dump> dumps;
};

/// Reads the dumps of one family. Records of other families arrive too.
class Collector {
public:
    Collector() = default;
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;
    virtual ~Collector() = default;
    /// True if the record belongs to a dump of this family.
    virtual bool take(const Record& record) = 0;
    virtual void finish() = 0;
};

}  // namespace hyperstep::explain
