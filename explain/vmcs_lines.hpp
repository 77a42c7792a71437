#pragma once
#include <optional>
#include <string_view>

#include "explain/draft.hpp"

namespace hyperstep::explain {

/// The parts of dump_vmcs() (KVM) and vmcs_dump_vcpu() (Xen); several keys mean another field in another
/// part.
enum class Part : std::uint8_t { unknown, guest, host, control };

/// What the lines of one dump have shown beyond the fields.
struct VmcsLines {
    Part part = Part::unknown;
    bool guest_header = false;
    bool host_header = false;
    bool xen = false;              ///< a spelling that only Xen has
    bool efer_on_its_own = false;  ///< "EFER= 0x...": KVM since 5.13, which also prints the MSR lists
    bool guest_autoload = false;   ///< "MSR guest autoload:" was printed
    bool in_guest_autoload = false;
    bool any_msr_line = false;
    bool broken_list = false;
};

/// How surely a record belongs to a VMCS dump.
enum class Claim : std::uint8_t { no, inside, opens };

/// Reads one record (KVM's and Xen's spelling alike) into `draft`. Inside: only if a dump is open.
/// With `draft` null nothing is stored: what would the record be?
Claim read_vmcs_record(std::string_view text, VmcsLines& lines, Draft* draft);

/// Kernel-specific and hypervisor-specific meaning, applied when the dump ends.
void finish_kvm(const VmcsLines& lines, Draft& draft);
void finish_xen(Draft& draft);

/// Xen's failure banner: "d12v0 vmentry failure (reason 0x80000021): Invalid guest state (0)".
bool read_xen_banner(std::string_view text, Reported& reported);

/// The VM-instruction error that Xen prints ahead of a dump: "d2v0 VMLAUNCH error: 0x7".
std::optional<std::uint32_t> xen_entry_error(std::string_view text);

}  // namespace hyperstep::explain
