#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmx/rules/state.hpp"

namespace hyperstep::explain {

/// Who printed a dump. The printed names are those of CONTRACTS: "kvm", "xen", ...
enum class Format : std::uint8_t {
    kvm,   ///< dump_vmcs() of any kernel
    xen,   ///< vmcs_dump_vcpu(), on failure or by debug key
    qemu,  ///< register dump of QEMU (or libvirt's log of it)
    haxm,
    virtualbox,
    noirvisor,
    sregs,      ///< print of KVM_GET_SREGS: gdb's, or a VMM's
    vmcs12,     ///< binary of KVM_GET_NESTED_STATE
    svm,        ///< dump_vmcb() of a kernel on an AMD processor: recognised, not read
    ftrace,     ///< kvm_nested_vmenter_failed, kvm_exit, kvm_entry
    fields,     ///< plain `field = value` lists, by name or encoding
    hyperstep,  ///< our own state JSON
};
std::string_view to_string(Format f);

/// What the dump says that the processor or the hypervisor reported.
struct Reported {
    std::optional<std::uint32_t> reason;  ///< the whole exit-reason field, bit 31 included
    std::optional<std::uint64_t> qualification;
    std::optional<std::uint32_t> instruction_error;  ///< VM-instruction error number
    /// The dump says that the entry failed: reason bit 31 with a basic reason other than 0, an instruction
    /// error other than 0, or the hypervisor's own message.
    bool entry_failed = false;
    bool svm = false;     ///< the report is one of AMD's SVM: no check of a VM entry accounts for it
    std::string message;  ///< the hypervisor's own words for it, if any
};

/// One dump: only what it shows is known. Capability slots are left as State() has them.
struct Dump {
    Format format = Format::fields;
    std::size_t line_first = 0;  ///< lines of the input, from 1
    std::size_t line_last = 0;
    vmx::State state;
    Reported reported;
    /// Processor named by the dump itself (our own JSON), if any: a preset's name.
    std::string cpu;
    /// Why our own JSON could not be used, if it could not: then the dump tells nothing.
    std::string unreadable;
    /// What the reader has to be told about how the dump was read: a contradiction, a field with an absurd
    /// value, ...
    std::vector<std::string> remarks;
};

/// Finds the dumps in text that arrives in pieces. Memory is bounded whatever arrives: lines beyond 64 KiB
/// are cut there, at most 10,000 dumps are kept. Never throws on any input. A number at the very end of an
/// input whose last line has no end may have been cut, and is unknown.
class DumpScanner {
public:
    DumpScanner();
    ~DumpScanner();
    DumpScanner(DumpScanner&&) noexcept;
    DumpScanner& operator=(DumpScanner&&) noexcept;
    DumpScanner(const DumpScanner&) = delete;
    DumpScanner& operator=(const DumpScanner&) = delete;

    void feed(std::string_view piece);
    /// Ends the input. Afterwards the scanner is empty. Dumps are in the order of their first lines; a
    /// register dump of QEMU or KVM_GET_SREGS next to a VMCS dump is part of it.
    std::vector<Dump> finish();

private:
    struct Impl;
    Impl* impl_;
};

/// The dumps of a whole text.
std::vector<Dump> find_dumps(std::string_view text);

}  // namespace hyperstep::explain
